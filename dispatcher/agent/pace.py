"""How fast all tasks together may send what they say."""

import asyncio
import time
from collections.abc import Awaitable, Callable

Sleep = Callable[[float], Awaitable[object]]

APART_S = 0.02  # 50 a second: half of what the gateway takes of a worker's output


class Pace:
    """Turns that are `APART_S` apart, first come, first served. The more tasks talk, the longer each waits for its
    turn, and the more lines go out in it; one that talks alone has the next turn at once."""

    def __init__(self, sleep: Sleep = asyncio.sleep, now: Callable[[], float] = time.monotonic) -> None:
        self._sleep = sleep
        self._now = now
        self._next = 0.0

    async def turn(self) -> None:
        """Wait until it is the caller's turn."""
        now = self._now()
        mine = max(now, self._next)
        self._next = mine + APART_S
        if mine > now:
            await self._sleep(mine - now)
