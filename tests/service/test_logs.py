"""Following logs: nothing lost, nothing twice, in order."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from dispatcher.domain.errors import DispatchError, NotFound, Unavailable
from dispatcher.domain.log import LINE_BYTES, PORTION_LINES, LogLine, LogPage, LogStream, cut, portions
from dispatcher.domain.transitions import TaskState
from dispatcher.store.options import StoreOptions
from tests.service.talking import Scene, read_all, scene_with, settle
from tests.store.world import ORIGIN, OWNER, done


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with scene_with(StoreOptions(log_lines_max=5_000)) as scene:
        yield scene


async def test_replay_then_live_then_the_end(scene: Scene) -> None:
    await scene.say(2_500)
    seen: list[int] = []
    follower = scene.follow()
    reading = asyncio.create_task(read_all(follower, seen))
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
    follower.close()
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


def test_portions_are_small_by_number_and_size() -> None:
    lines = [LogLine(n, 0, 1, LogStream.STDOUT, "x" * (LINE_BYTES if n == 250 else n == 251)) for n in range(1, 302)]
    some = list(portions(lines))
    assert [len(portion) for portion in some] == [100, 100, 50, 51]
    assert max(map(len, some)) == PORTION_LINES
    assert [line for portion in some for line in portion] == lines
    assert list(portions([])) == []
