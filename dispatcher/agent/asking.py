"""How an agent asks for tasks: as many at once as it has room for."""

import asyncio
import json
from collections.abc import Awaitable, Callable

from dispatcher.agent.pace import Sleep
from dispatcher.agent.work import Work

REST_S = 0.02  # for each declined task: 50 a second, while the gateway takes 100 reports


class Asking:
    """`concurrency` tasks run at once. What was asked for counts until it has come, or the connection is lost."""

    def __init__(self, work: Work, concurrency: int, sleep: Sleep) -> None:
        self._work = work
        self._concurrency = concurrency
        self._sleep = sleep
        self._asked = 0  # over this connection

    def begin_anew(self) -> None:
        """Over a new connection: nothing has been asked for yet."""
        self._asked = 0
        self._work.freed.set()

    def came(self) -> None:
        """One of those that were asked for."""
        self._asked = max(0, self._asked - 1)

    async def run(self, send: Callable[[str], Awaitable[None]], leaving: asyncio.Event) -> None:
        """Ask whenever there is room, until it is `leaving`."""
        while not leaving.is_set():
            await self._work.freed.wait()
            self._work.freed.clear()
            await self._let_others_go_first()
            slots = self._concurrency - len(self._work) - self._asked
            if slots > 0 and not leaving.is_set():
                self._asked += slots
                await send(json.dumps({"type": "ready", "slots": slots}))
        await asyncio.Event().wait()

    async def _let_others_go_first(self) -> None:
        """A worker that declines is free at once, and would be first at the next task that others may run as well. And
        what it says is counted: in a stream of such tasks its other reports must not run into the gateway's limit."""
        declined, self._work.declined = self._work.declined, 0
        if declined:
            await self._sleep(REST_S * declined)
