"""Workers that fetch their work: a claim that may wait, woken by what comes into the queue.

Nothing is promised to a waiting claim: it looks again when a task becomes pending, and now and then all the same
(each second, or where many wait so that one gateway's idle looks stay below a bound), so a lost event costs a moment
and never a task.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

from dispatcher.domain.clock import Clock
from dispatcher.domain.errors import DispatchError, NotFound, Unavailable
from dispatcher.domain.event import FleetEvent
from dispatcher.domain.failure import Outcome, Verdict
from dispatcher.domain.grant import Grant
from dispatcher.domain.ids import is_id, new_claim_id, new_nonce
from dispatcher.domain.reporter import ByHolder
from dispatcher.domain.server import NewServer, Server
from dispatcher.domain.transitions import TaskState
from dispatcher.service.background import Background
from dispatcher.service.ports import ServerStore, TaskStore
from dispatcher.service.retry import OUTAGE

LOOK_AGAIN_S = 1.0
LOOKS_PER_S = 100  # of all that wait on one gateway

_UNTAKEN = Outcome(Verdict.RELEASED, text="The worker went away while it was given the task")


class Workers:
    """Claims of workers through this gateway.

    Waiting claims stand in one line per class of workers (those that offer the same), and a task that becomes pending
    wakes the first of each line: never a herd, and never only one that cannot run it.
    """

    def __init__(self, tasks: TaskStore, servers: ServerStore, *, gateway: str, clock: Clock) -> None:
        self._tasks = tasks
        self._servers = servers
        self._gateway = gateway
        self._clock = clock
        self._lines: dict[str, deque[asyncio.Event]] = {}
        self._waiting: dict[str, asyncio.Event] = {}  # by server: the newest of its claims
        self._background = Background()
        self._draining = False

    async def enlist(self, server: NewServer) -> Server:
        """Register a worker, online at once, unless its id is known already: then the record stays as it is, and so
        does what the worker runs."""
        return await self._servers.put(server, keep=True)

    async def claim(
        self,
        server_id: str,
        *,
        lease_ms: int,
        wait_ms: int = 0,
        note: str = "",
        session: str = "",
        woken: asyncio.Event | None = None,
    ) -> Grant | None:
        """The next task for a worker, which holds its lease; None when there was none for `wait_ms`.

        `note` is kept with the attempt (a word about the worker, shown by its dialect). `session` is the worker's
        socket that the task is to go down; setting `woken` has the claim look again. Raises NotFound for a worker
        that is not registered, Replaced when another socket took over, Unavailable while this gateway stops. When the
        caller goes away (cancellation), a task that was granted meanwhile goes back to the queue.
        """
        if not is_id(server_id):
            raise NotFound(f"Server not found: {server_id[:80]}")
        if self._draining:
            raise Unavailable("This gateway is shutting down")
        claim = partial(self._claim, server_id, lease_ms, note, session)
        grant = await claim()
        if grant is not None or wait_ms <= 0:
            return grant
        woken = woken or asyncio.Event()
        with self._in_line(await self._class_of(server_id), woken), self._waits(server_id, woken):
            return await self._wait(claim, woken, self._clock.monotonic() + wait_ms / 1000)

    def give_back(self, grant: Grant) -> None:
        """Nobody was there to take it: back to the queue, nothing counted."""
        self._background.spawn(self._released(grant))

    def publish(self, event: FleetEvent) -> None:
        """A change of the fleet: a task that is pending wakes a waiting claim, and what is kept for one worker its
        own: the rank of a gang, or a task whose model it has in memory."""
        if event.fields.get("state") in ("handed", "asked") and (
            given := self._waiting.get(event.fields.get("id", ""))
        ):
            given.set()
        elif event.task_id is not None and event.fields.get("state") == TaskState.PENDING:
            for line in self._lines.values():
                _wake_first(line)

    async def drain(self) -> None:
        """Answer all waiting claims, take no new ones, and finish giving tasks back."""
        self._draining = True
        for line in self._lines.values():
            for woken in line:
                woken.set()
        await self._background.wait(1.0)

    def __len__(self) -> int:
        """How many claims wait."""
        return sum(len(line) for line in self._lines.values())

    async def _wait(
        self, claim: Callable[[], Awaitable[Grant | None]], woken: asyncio.Event, until: float
    ) -> Grant | None:
        while not self._draining:
            woken.clear()
            grant = await claim()
            left = until - self._clock.monotonic()
            if grant is not None or left <= 0:
                return grant
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left, self.look_again_s)):
                    await woken.wait()
        return None

    @property
    def look_again_s(self) -> float:
        """How long a claim waits for an event before it looks all the same."""
        return max(LOOK_AGAIN_S, len(self) / LOOKS_PER_S)

    async def _claim(self, server_id: str, lease_ms: int, note: str, session: str) -> Grant | None:
        claiming = self._background.spawn(
            self._tasks.claim_next(
                server_id,
                claim_id=new_claim_id(),
                nonce=new_nonce(),
                gateway=self._gateway,
                lease_ms=lease_ms,
                note=note,
                session=session,
            )
        )
        try:
            return await asyncio.shield(claiming)
        except asyncio.CancelledError:
            self._background.spawn(self._untaken(claiming))
            raise

    async def _untaken(self, claiming: "asyncio.Task[Grant | None]") -> None:
        """Nobody is there to take what is being claimed."""
        with suppress(DispatchError, *OUTAGE):
            if (grant := await claiming) is not None:
                await self._released(grant)

    async def _released(self, grant: Grant) -> None:
        by = ByHolder(grant.server_id, grant.fence)
        with suppress(DispatchError, *OUTAGE):  # the lease ends by itself
            await self._tasks.finish(grant.task_id, by, _UNTAKEN, gateway=self._gateway, retry_delay_ms=0)

    async def _class_of(self, server_id: str) -> str:
        known = (await self._servers.snapshot()).servers.get(server_id)
        return known.offer.server_class if known is not None else ""

    @contextmanager
    def _waits(self, server_id: str, woken: asyncio.Event) -> Iterator[None]:
        self._waiting[server_id] = woken
        try:
            yield
        finally:
            if self._waiting.get(server_id) is woken:
                del self._waiting[server_id]

    @contextmanager
    def _in_line(self, name: str, woken: asyncio.Event) -> Iterator[None]:
        line = self._lines.setdefault(name, deque())
        line.append(woken)
        try:
            yield
        finally:
            line.remove(woken)
            if not line:
                self._lines.pop(name, None)


def _wake_first(line: deque[asyncio.Event]) -> None:
    """One that is not awake already; it goes to the end, so that the next event wakes the next one."""
    for woken in line:
        if not woken.is_set():
            line.remove(woken)
            line.append(woken)
            woken.set()
            return
