"""Starts waiting heads of the queue as soon as a slot is known to be free."""

import asyncio

from dispatcher.service.duties import Duties


class Peek:
    """Sleeps until woken: capacity came free somewhere without a grant. Wake-ups during a round make one more."""

    def __init__(self, duties: Duties) -> None:
        self._duties = duties
        self._woken = asyncio.Event()

    def wake(self) -> None:
        self._woken.set()

    async def run_once(self) -> None:
        """One round at the next wake-up."""
        await self._woken.wait()
        self._woken.clear()
        await self._duties.peek()
