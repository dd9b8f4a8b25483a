"""Following logs: nothing lost, nothing twice, in order, and slow readers go."""

import asyncio
from collections.abc import AsyncIterator, Mapping

import pytest

from dispatcher.domain.clock import ManualClock
from dispatcher.domain.errors import DispatchError, NotFound, Overrun, Unavailable
from dispatcher.domain.log import LINE_BYTES, LogPage, LogStream, NewLine, cut
from dispatcher.domain.transitions import TaskState
from dispatcher.service.tails import Follower, Tails
from dispatcher.store.memory import MemoryStore
from dispatcher.store.options import StoreOptions
from tests.store.world import ORIGIN, OWNER, World, by, done


class Scene:
    """Tasks that talk, on the store in memory. A look at the tails happens when the test says so."""

    def __init__(self, options: StoreOptions | None = None) -> None:
        clock = ManualClock()
        self.store = MemoryStore(clock, options or StoreOptions())
        self.world = World(self.store, clock, self._nothing)
        self.looks = asyncio.Semaphore(0)
        self.tails = Tails(self.store.logs, sleep=self._sleep)
        self.said = 0

    async def _nothing(self) -> None: ...

    async def _sleep(self, seconds: float) -> None:
        if seconds:
            await self.looks.acquire()
        else:
            await asyncio.sleep(0)

    async def start(self, task_id: str = "t1") -> None:
        await self.world.given_server("s-" + task_id)
        self.grant = await self.world.running(task_id, "s-" + task_id)

    async def say(self, count: int) -> None:
        lines = [NewLine(LogStream.STDOUT, str(self.said + n + 1)) for n in range(count)]
        await self.store.logs.append("t1", by(self.grant), lines, origin=ORIGIN, first=self.said + 1)
        self.said += count

    async def look(self) -> None:
        self.looks.release()
        for _ in range(10):
            await asyncio.sleep(0)

    def follow(self, after: int = 0, most: int = 1_000) -> Follower:
        return self.tails.follow("t1", after, most)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    scene = Scene(StoreOptions(log_lines_max=5_000))
    await scene.start()
    yield scene
    await scene.tails.drain()


async def read_all(follower: Follower, seen: list[int]) -> LogPage:
    while True:
        page = await follower.next()
        seen += [line.seq for line in page.lines]
        if page.complete:
            return page


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_replay_then_live_then_the_end(scene: Scene) -> None:
    await scene.say(2_500)
    seen: list[int] = []
    reading = asyncio.create_task(read_all(scene.follow(), seen))
    await settle()
    assert seen == list(range(1, 2_501))
    await scene.say(3)
    await scene.look()
    assert seen[-3:] == [2_501, 2_502, 2_503]
    await scene.say(1)
    await scene.world.end(scene.grant, done())
    await scene.look()
    page = await reading
    assert seen == list(range(1, 2_505))
    assert page.ended is TaskState.COMPLETED
    assert len(scene.tails) == 0


async def test_an_ended_task_is_replayed_and_over(scene: Scene) -> None:
    await scene.say(3)
    await scene.world.end(scene.grant, done())
    follower = scene.follow(after=1)
    assert [line.seq for line in (await follower.next()).lines] == [2, 3]
    assert (await follower.next()).complete
    assert (await scene.follow(after=99).next()).complete


async def test_followers_from_different_places_see_the_same(scene: Scene) -> None:
    await scene.say(10)
    seen: list[list[int]] = [[], [], []]
    readers = [asyncio.create_task(read_all(scene.follow(after), seen[n])) for n, after in enumerate((0, 7, 10**9))]
    await settle()
    for _ in range(5):
        await scene.say(7)
        await scene.look()
    late: list[int] = []
    readers.append(asyncio.create_task(read_all(scene.follow(), late)))
    await scene.say(2)
    await settle()
    await scene.say(2)
    await scene.world.end(scene.grant, done())
    await scene.look()
    await asyncio.gather(*readers)
    assert [seen[0], seen[1], seen[2]] == [list(range(first, 50)) for first in (1, 8, 11)]
    assert late == list(range(1, 50))


async def test_a_tail_that_is_taken_up_from_further_back_has_no_gap(scene: Scene) -> None:
    """While a read is under way its follower leaves, and another one comes that has seen less."""
    gate, store = asyncio.Event(), scene.store.logs
    held: list[Mapping[str, int]] = []

    class Slow:
        async def read(self, after: Mapping[str, int], *, limit: int) -> dict[str, LogPage]:
            page = await store.read(after, limit=limit)
            if after == {"t1": 5}:
                held.append(after)
                if len(held) == 2:  # the first is the follower's own
                    await gate.wait()
                    return await store.read(after, limit=limit)
            return page

    scene.tails._logs = Slow()  # type: ignore[assignment]
    behind = scene.follow()
    await scene.say(5)
    ahead = scene.follow(after=5)
    waiting = asyncio.create_task(ahead.next())
    await settle()
    ahead.close()
    behind.at = 3
    assert scene.tails.attach(behind)
    behind._live = True
    await scene.say(2)
    gate.set()
    await scene.look()
    assert [line.seq for line in (await behind.next()).lines] == [4, 5, 6, 7]
    waiting.cancel()


async def test_a_slow_follower_is_dropped_and_resumes(scene: Scene) -> None:
    slow, quick = scene.follow(most=10), scene.follow(most=10)
    reading = asyncio.create_task(slow.next())
    seen: list[int] = []
    quick_reading = asyncio.create_task(read_all(quick, seen))
    await settle()
    await scene.say(8)
    await scene.look()
    at = (await reading).lines[-1].seq
    for _ in range(2):
        await scene.say(8)
        await scene.look()
    with pytest.raises(Overrun):
        await slow.next()
    assert at == 8
    assert seen == list(range(1, 25)), "others go on"
    assert [line.seq for line in (await scene.follow(after=at).next()).lines] == list(range(9, 25))
    quick_reading.cancel()


async def test_dropped_lines_are_told_of(scene: Scene) -> None:
    await scene.say(5_200)
    page = await scene.follow(after=50).next()
    assert (page.lines[0].text, page.lines[0].seq, page.lines[0].fence) == ("[150 lines dropped]", 200, 0)
    assert page.lines[1].seq == 201


async def test_what_ends_a_follower(scene: Scene) -> None:
    follower = scene.follow()
    waiting = asyncio.create_task(follower.next())
    await settle()
    await scene.world.end(scene.grant, done())
    await scene.store.tasks.delete("t1", origin=ORIGIN, owner=OWNER)
    await scene.look()
    with pytest.raises(NotFound):
        await waiting
    with pytest.raises(NotFound):
        await scene.follow().next()


async def test_a_drain_lets_everybody_go(scene: Scene) -> None:
    waiting = asyncio.create_task(scene.follow().next())
    await settle()
    await scene.tails.drain()
    with pytest.raises(Unavailable):
        await waiting
    with pytest.raises(Unavailable):
        scene.follow()


async def test_a_store_out_of_reach_is_waited_for(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    follower = scene.follow()
    waiting = asyncio.create_task(follower.next())
    await settle()

    async def away(*args: object, **kwargs: object) -> dict[str, LogPage]:
        raise Unavailable("away")

    with monkeypatch.context() as broken:
        broken.setattr(scene.store.logs, "read", away)
        await scene.look()
    await scene.say(1)
    await scene.look()
    assert [line.seq for line in (await waiting).lines] == [1]


async def test_a_fault_is_told_and_logged(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = asyncio.create_task(scene.follow().next())
    await settle()

    async def broken(*args: object, **kwargs: object) -> dict[str, LogPage]:
        raise RuntimeError

    monkeypatch.setattr(scene.store.logs, "read", broken)
    await scene.look()
    with pytest.raises(DispatchError, match="unexpected"):
        await waiting


async def test_the_reader_rests_while_nobody_follows(scene: Scene) -> None:
    for _ in range(2):
        waiting = asyncio.create_task(scene.follow().next())
        await settle()
        assert len(scene.tails) == 1
        await scene.say(1)
        await scene.look()
        await waiting
        waiting = asyncio.create_task((follower := scene.follow(after=scene.said)).next())
        await settle()
        waiting.cancel()
        follower.close()


def test_a_long_line_is_cut_between_two_characters() -> None:
    assert cut("x" * LINE_BYTES) == "x" * LINE_BYTES
    assert cut("€" * LINE_BYTES) == "€" * (LINE_BYTES // 3)
