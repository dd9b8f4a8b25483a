"""What any gateway does for all: ripe timers, health probes, waiting heads of the queue, files without an owner."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from dispatcher.domain.clock import Clock
from dispatcher.service.background import Background
from dispatcher.service.dispatch import Dispatch
from dispatcher.service.files import Files
from dispatcher.service.ports import TaskStore
from dispatcher.service.servers import Servers

BATCH = 64


class Duties:
    """Idempotent and safe to run on every gateway at once: the store gives each timer and each head to one of them."""

    def __init__(
        self,
        tasks: TaskStore,
        servers: Servers,
        dispatch: Dispatch,
        *,
        gateway: str,
        clock: Clock,
        also: Sequence[Callable[[], Coroutine[Any, Any, object]]] = (),  # begun once a round
        files: Files | None = None,
    ) -> None:
        self._tasks = tasks
        self._servers = servers
        self._dispatch = dispatch
        self._gateway = gateway
        self._clock = clock
        self._also = [*also, files.sweep] if files else also
        self._beside: dict[int, asyncio.Task[object]] = {}  # by its place in `also`
        self._background = Background()
        self._peeking = asyncio.Lock()

    async def run(self, budget_ms: int = 200, *, settle: bool = False) -> dict[str, int | bool]:
        """One round: handle timers, probe, start waiting tasks; batches follow one another for `budget_ms` (> 0).

        With `settle` what is left of the budget is spent on waiting for the calls of this gateway: for processes that
        only live while they are asked.

        Answers how many timers were `handled`, servers `probed` and tasks `started`, and whether there is `more`.
        """
        until = self._until(budget_ms)
        handled = probed = 0
        while True:
            ticked = await self._tasks.tick(gateway=self._gateway, limit=BATCH)
            handled += ticked.handled
            probed += len(ticked.probes)
            if ticked.probes:
                self._background.spawn(self._servers.probe(ticked.probes))
            if not ticked.more or self._clock.monotonic() >= until:
                break
        self._begin_others()
        started, full = await self._peek(until)
        if settle:
            if self._beside:
                await asyncio.wait(self._beside.values(), timeout=max(0.0, until - self._clock.monotonic()))
            await self._dispatch.idle(max(0.0, until - self._clock.monotonic()))
        return {"handled": handled, "probed": probed, "started": started, "more": ticked.more or full}

    async def peek(self, budget_ms: int = 200) -> int:
        """Start heads of the queue that waited too long for the slots that are free; answers how many."""
        return (await self._peek(self._until(budget_ms)))[0]

    async def close(self) -> None:
        """Drop probes that are under way."""
        await self._background.close()

    def _begin_others(self) -> None:
        """In the background: a slow file store, or an operation that fails, must not hold up timers."""
        for place, duty in enumerate(self._also):
            before = self._beside.get(place)
            if before is None or before.done():
                self._beside[place] = self._background.spawn(duty())

    def _until(self, budget_ms: int) -> float:
        return self._clock.monotonic() + budget_ms / 1000

    async def _peek(self, until: float) -> tuple[int, bool]:
        started = 0
        async with self._peeking:
            while not self._dispatch.draining:
                heads = await self._tasks.peek(limit=BATCH)
                began = await self._dispatch.start_waiting(heads)
                started += began
                if len(heads) < BATCH:
                    return started, False
                if not began or self._clock.monotonic() >= until:
                    break
        return started, True
