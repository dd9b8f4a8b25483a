"""Tasks that talk, and followers of them."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from dispatcher.domain.clock import ManualClock
from dispatcher.domain.errors import Unavailable
from dispatcher.domain.log import LogPage, LogStream, NewLine
from dispatcher.service.tails import Follower, Tails
from dispatcher.store.memory import MemoryStore
from dispatcher.store.options import StoreOptions
from tests.store.world import ORIGIN, World, by


class Counted:
    """The logs of a store: what is read of them is written down, and takes until the test says so, where it says so;
    the answer to a read after `late` is that of its beginning."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.reads: list[dict[str, int]] = []
        self.away = False
        self.late = -1
        self.arrival = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self.under_way = self.most_under_way = 0

    async def read(self, after: Mapping[str, int], *, limit: int) -> dict[str, LogPage]:
        self.reads.append(dict(after))
        self.under_way += 1
        self.most_under_way = max(self.under_way, self.most_under_way)
        try:
            if self.late in after.values():
                found = await self._store.logs.read(after, limit=limit)
                await self.arrival.wait()
                return found
            await self.gate.wait()
            if self.away:
                raise Unavailable("away")
            return await self._store.logs.read(after, limit=limit)
        finally:
            self.under_way -= 1


class Scene:
    """The store is that in memory. A look at the tails happens when the test says so."""

    def __init__(self, options: StoreOptions | None = None, *, held: int = 1_000) -> None:
        clock = ManualClock()
        self.store = MemoryStore(clock, options or StoreOptions())
        self.world = World(self.store, clock, self._nothing)
        self.looks = asyncio.Semaphore(0)
        self.logs = Counted(self.store)
        self.tails = Tails(self.logs, held=held, sleep=self._sleep)  # type: ignore[arg-type]
        self.said = 0

    async def _nothing(self) -> None: ...

    async def _sleep(self, seconds: float) -> None:
        await self.looks.acquire()

    async def start(self, task_id: str = "t1") -> None:
        await self.world.given_server("s-" + task_id)
        self.grant = await self.world.running(task_id, "s-" + task_id)

    async def say(self, count: int) -> None:
        lines = [NewLine(LogStream.STDOUT, str(self.said + n + 1)) for n in range(count)]
        task_id = self.grant.task_id
        await self.store.logs.append(task_id, by(self.grant), lines, origin=ORIGIN, first=self.said + 1)
        self.said += count

    async def look(self) -> None:
        self.looks.release()
        await settle()

    def follow(self, after: int = 0) -> Follower:
        return self.tails.follow("t1", after)


@asynccontextmanager
async def scene_with(options: StoreOptions | None = None, *, held: int = 1_000) -> AsyncIterator[Scene]:
    scene = Scene(options, held=held)
    await scene.start()
    yield scene
    await scene.tails.drain()


async def read_all(follower: Follower, seen: list[int]) -> LogPage:
    while True:
        page = await follower.next()
        seen += [line.seq for line in page.lines]
        if page.complete:
            return page


async def read_one(follower: Follower, seen: list[int]) -> None:
    seen += [line.seq for line in (await follower.next()).lines]


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def seqs(page: LogPage | None) -> list[int] | None:
    return None if page is None else [line.seq for line in page.lines]


async def next_of(scene: Scene, follower: Follower) -> LogPage:
    """What one look brings a follower that has caught up."""
    reading = asyncio.create_task(follower.next())
    await scene.look()
    return await reading


async def caught_up(scene: Scene, count: int) -> list[Follower]:
    """Followers that wait for what comes."""
    followers = [scene.follow(after=scene.said) for _ in range(count)]
    waiting = [asyncio.create_task(follower.next()) for follower in followers]
    await settle()
    for task in waiting:
        task.cancel()
    await settle()
    return followers
