"""How loaded the fleet is: now, lately, and for everybody who follows it."""

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from dispatcher.domain.clock import Clock
from dispatcher.domain.errors import DispatchError, NotFound
from dispatcher.domain.ids import is_id
from dispatcher.domain.server import Server
from dispatcher.domain.task import Task
from dispatcher.domain.telemetry import Sample, Timeframe, Window, summarise
from dispatcher.service.background import where
from dispatcher.service.ports import ServerStore, TaskStore, TelemetryStore
from dispatcher.service.retry import Sleep

log = logging.getLogger(__name__)

EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All registered servers by registration sequence, and the tasks that each of them runs now, newest first.
    `domain.telemetry.newest` says what a server told last."""

    at_ms: int  # by this gateway's clock
    servers: Sequence[Server]
    running: Mapping[str, Sequence[Task]]


class Follower:
    """One reader of the snapshots. A slow one misses those in between and is never behind."""

    def __init__(self) -> None:
        self._newest: Snapshot | None = None
        self._came = asyncio.Event()

    def show(self, snapshot: Snapshot) -> None:
        """Called by `Telemetry`."""
        self._newest = snapshot
        self._came.set()

    async def next(self) -> Snapshot:
        """The newest snapshot that was not returned before."""
        await self._came.wait()
        self._came.clear()
        assert self._newest is not None  # noqa: S101 - set with the event
        return self._newest


class Telemetry:
    """What workers told of their load. The store is read once per 5 s, however many follow, and not at all when
    nobody does."""

    def __init__(
        self,
        telemetry: TelemetryStore,
        servers: ServerStore,
        tasks: TaskStore,
        *,
        clock: Clock,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._telemetry = telemetry
        self._servers = servers
        self._tasks = tasks
        self._clock = clock
        self._sleep = sleep
        self._followers: set[Follower] = set()
        self._newest: Snapshot | None = None
        self._producer: asyncio.Task[None] | None = None

    async def latest(self) -> Snapshot:
        """The fleet as it is now."""
        servers = await self._servers.all()
        running = await self._tasks.running([server.id for server in servers])
        return Snapshot(self._clock.now_ms(), servers, running)

    async def samples(self, server_id: str, since_ms: int = 0) -> list[Sample]:
        """A server's samples after a time (epoch ms), oldest first; of the last hour. Raises NotFound."""
        if not is_id(server_id):
            raise NotFound(f"Server not found: {server_id[:80]}")
        return await self._telemetry.samples(server_id, since_ms)

    async def window(self, timeframe: Timeframe, origin: str) -> Window:
        """The tasks of an origin and the usage of the fleet over a timeframe that ends now."""
        return summarise(timeframe, await self._telemetry.buckets(origin, *timeframe.buckets))

    @contextmanager
    def follow(self) -> Iterator[Follower]:
        """Snapshots from now on: one at once, then one each 5 s while the store can be read."""
        follower = Follower()
        if self._newest is not None and self._followers:
            follower.show(self._newest)
        self._followers.add(follower)
        if self._producer is None:
            self._producer = asyncio.create_task(self._produce(), name="telemetry")
        try:
            yield follower
        finally:
            self._followers.discard(follower)
            if not self._followers and self._producer is not None:
                self._producer.cancel()
                self._producer = None

    async def _produce(self) -> None:
        due = self._clock.monotonic()
        while True:
            await self._show()
            due = max(due + EVERY_S, self._clock.monotonic())  # late ones are not made up for
            await self._sleep(max(0.0, due - self._clock.monotonic()))

    async def _show(self) -> None:
        try:
            self._newest = await self.latest()
        except DispatchError as error:
            log.warning("no telemetry now: %s", error.message)
            return
        except Exception as error:  # noqa: BLE001 - those who follow wait for the next one
            log.error("no telemetry now: %s", where(error))
            return
        for follower in self._followers:
            follower.show(self._newest)
