"""A store with a clock, and short words for what the tests do with it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from itertools import count
from typing import Any, Protocol

from dispatcher.domain.clock import ManualClock
from dispatcher.domain.failure import Outcome, Verdict
from dispatcher.domain.grant import Behind, Claim, Created, Finished, Grant, Granted, Held
from dispatcher.domain.lane import Demand, Offer
from dispatcher.domain.principal import Owner
from dispatcher.domain.reporter import ByAttempt
from dispatcher.domain.resources import NOTHING, Resources
from dispatcher.domain.server import Endpoints, NewServer, Server, ServerHealth
from dispatcher.domain.task import NewTask, Task
from dispatcher.domain.transitions import TaskState
from dispatcher.service.ports import (
    BatchStore,
    CommandStore,
    Coordination,
    FileStore,
    KeyStore,
    LogStore,
    OperationStore,
    PlacementStore,
    ServerStore,
    StatsStore,
    TaskStore,
    TelemetryStore,
)

GATEWAY = "gw_1"
ORIGIN = "native"
OWNER = Owner("acme", "ann")
LEASE_MS = 15_000
PATIENCE_S = 5.0  # real seconds until a message that should come is given up


class Stores(Protocol):
    @property
    def tasks(self) -> TaskStore: ...
    @property
    def servers(self) -> ServerStore: ...
    @property
    def stats(self) -> StatsStore: ...
    @property
    def batches(self) -> BatchStore: ...
    @property
    def logs(self) -> LogStore: ...
    @property
    def files(self) -> FileStore: ...
    @property
    def coordination(self) -> Coordination: ...
    @property
    def telemetry(self) -> TelemetryStore: ...
    @property
    def commands(self) -> CommandStore: ...
    @property
    def operations(self) -> OperationStore: ...
    @property
    def placements(self) -> PlacementStore: ...
    @property
    def keys(self) -> KeyStore: ...


def new_task(task_id: str, *, owner: Owner = OWNER, capabilities: Iterable[str] = (), **changes: Any) -> NewTask:
    fields: dict[str, Any] = {
        "origin": ORIGIN, "type": "echo", "points": 0, "boost_ms": 0, "spec": b"{}", "payload": b'{"n":1}',
        "timeout_ms": 300_000,
    }  # fmt: skip
    fields["demand"] = Demand(capabilities=frozenset(capabilities)).shaped(changes.get("needs", NOTHING))
    return NewTask(id=task_id, owner=owner, **fields | changes)


def new_server(
    server_id: str,
    *,
    capabilities: Iterable[str] = (),
    health: str | None = None,
    resources: Resources | None = None,
    **changes: Any,
) -> NewServer:
    endpoints = Endpoints(f"http://{server_id}/predict", health=health)
    offer = Offer(capabilities=frozenset(capabilities), resources=resources)
    return NewServer(server_id, ORIGIN, server_id, endpoints, offer, **changes)


def by(grant: Grant) -> ByAttempt:
    return ByAttempt(grant.fence, grant.nonce)


def held(grant: Grant) -> Held:
    return Held(grant.task_id, grant.server_id, grant.fence)


def done(result: bytes = b'{"ok":true}', digest: str = "d1") -> Outcome:
    return Outcome(Verdict.COMPLETED, result=result, digest=digest, service_ms=10)


class World:
    """One store under test. Time stands still but for `advance`."""

    def __init__(self, store: Stores, clock: ManualClock, show_time: Callable[[], Awaitable[None]]) -> None:
        self.store = store
        self.clock = clock
        self._show_time = show_time
        self._numbers = count(1)

    @property
    def now(self) -> int:
        return self.clock.now_ms()

    def fresh(self, prefix: str) -> str:
        """An id that was not used before."""
        return f"{prefix}{next(self._numbers)}"

    async def advance(self, ms: int) -> None:
        self.clock.advance(ms)
        await self._show_time()

    async def given_task(self, task_id: str, *, gateway: str = GATEWAY, **changes: Any) -> Created:
        return await self.store.tasks.create(new_task(task_id, **changes), gateway=gateway)

    async def given_server(self, server_id: str, **changes: Any) -> Server:
        return await self.store.servers.put(new_server(server_id, **changes))

    async def claim(self, task_id: str, server_id: str, **changes: Any) -> Claim:
        """A claim with fresh ids, unless they are given."""
        given = {
            "claim_id": self.fresh("c"),
            "nonce": self.fresh("n"),
            "gateway": GATEWAY,
            "lease_ms": LEASE_MS,
        } | changes
        return await self.store.tasks.claim(task_id, server_id, **given)

    async def start(self, task_id: str, server_id: str, **changes: Any) -> Grant:
        answer = await self.claim(task_id, server_id, **changes)
        assert isinstance(answer, Granted | Behind), answer
        return answer.grant

    async def running(self, task_id: str, server_id: str, **changes: Any) -> Grant:
        """A new task that this server has started."""
        await self.given_task(task_id, **changes)
        return await self.start(task_id, server_id)

    async def end(self, grant: Grant, outcome: Outcome | Verdict, **changes: Any) -> Finished:
        what = Outcome(outcome) if isinstance(outcome, Verdict) else outcome
        given = {"gateway": GATEWAY, "retry_delay_ms": 500} | changes
        return await self.store.tasks.finish(grant.task_id, by(grant), what, **given)

    async def task(self, task_id: str) -> Task:
        task, _ = await self.store.tasks.get(task_id)
        assert task is not None
        return task

    async def state(self, task_id: str) -> TaskState:
        return (await self.task(task_id)).state

    async def active(self, server_id: str) -> int:
        return (await self.store.servers.get(server_id)).active

    async def tick(self) -> None:
        while (await self.store.tasks.tick(gateway=GATEWAY)).more:
            pass

    async def later(self, ms: int) -> None:
        """Time passes, with a tick at least each 5 s, as gateways make them."""
        while ms > 0:
            step = min(ms, 5_000)
            await self.advance(step)
            await self.tick()
            ms -= step

    async def beat(self, server_id: str, *, active: int | None = None, **changes: Any) -> Server:
        given = {"health": ServerHealth.HEALTHY, "active": active, "metrics": "{}"} | changes
        return await self.store.servers.heartbeat(server_id, **given)

    @contextlib.asynccontextmanager
    async def inbox(self, gateway: str = GATEWAY) -> AsyncIterator["Reader"]:
        """This gateway lives and reads its messages."""
        await self.store.coordination.presence(gateway)
        async with Reader.on(self.store.coordination.inbox(gateway)) as reader:
            yield reader

    @contextlib.asynccontextmanager
    async def events(self) -> AsyncIterator["Reader"]:
        """A reader of the fleet's stream that is known to listen."""
        async with Reader.on(self.store.coordination.events()) as reader:
            while not reader.seen:
                await self.store.servers.set_algorithm(self.fresh("probe"), by="test")
                await asyncio.sleep(0)
            yield reader


class Reader:
    """Collects what a stream brings."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self._came = asyncio.Event()

    @classmethod
    @contextlib.asynccontextmanager
    async def on(cls, stream: AsyncIterator[Any]) -> AsyncIterator["Reader"]:
        reader = cls()
        task = asyncio.create_task(reader._collect(stream))
        await asyncio.sleep(0)
        try:
            yield reader
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _collect(self, stream: AsyncIterator[Any]) -> None:
        async for entry in stream:
            self.seen.append(entry)
            self._came.set()

    async def until(self, wanted: Callable[[Any], bool]) -> Any:
        """The first entry that is wanted; fails when none comes in time."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                self._came.clear()
                for entry in self.seen:
                    if wanted(entry):
                        return entry
                await self._came.wait()
