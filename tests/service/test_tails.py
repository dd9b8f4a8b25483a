"""Followers that are behind: a burst costs nobody its place, and no more than a bounded number of reads."""

import asyncio
import random

import pytest

from dispatcher.domain.errors import Unavailable
from dispatcher.domain.log import LogLine, LogPage, LogStream
from dispatcher.domain.transitions import TaskState
from dispatcher.service import followed_log
from dispatcher.service.followed_log import PAGE, FollowedLog
from dispatcher.service.tails import READS_AT_ONCE, Follower
from dispatcher.store.options import StoreOptions
from tests.service.talking import Scene, read_all, read_one, scene_with, settle
from tests.store.world import done

ROOMY = StoreOptions(log_lines_max=100_000)


def page_of(first: int, last: int, *, newest: int | None = None, lost: int = 0, text: str = "") -> LogPage:
    lines = tuple(LogLine(n, 0, 1, LogStream.STDOUT, text) for n in range(first, last + 1))
    return LogPage(lines, lost, last if newest is None else newest)


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


async def test_a_burst_costs_nobody_its_place() -> None:
    async with scene_with(ROOMY) as scene:
        quick: list[int] = []
        slow: list[int] = []
        (follower,) = await caught_up(scene, 1)
        reading = asyncio.create_task(read_all(scene.follow(), quick))
        await settle()
        await scene.say(5_000)
        await scene.look()
        assert quick == list(range(1, 5_001))
        for _ in range(3):
            await read_one(follower, slow)
            await scene.say(100)
            await scene.look()
        while len(slow) < scene.said:
            await read_one(follower, slow)
        waiting = asyncio.create_task(read_one(follower, slow))
        await scene.say(1)
        await scene.look()
        await waiting
        assert slow == quick == list(range(1, scene.said + 1))
        reading.cancel()


@pytest.mark.parametrize("seed", range(8))
async def test_any_mixture_of_speeds(seed: int) -> None:
    """Bursts around what is held and around a page, readers that rest between any two steps, and one who comes late."""
    rng = random.Random(seed)
    async with scene_with(ROOMY, held=rng.choice((1, 10, 1_000))) as scene:
        seen: list[list[int]] = [[] for _ in range(6)]
        pace = [rng.random() for _ in seen]

        async def read(n: int) -> TaskState | None:
            follower = scene.follow()
            while True:
                page = await follower.next()
                seen[n] += [line.seq for line in page.lines]
                if page.complete:
                    follower.close()
                    return page.ended
                while rng.random() > pace[n]:
                    await asyncio.sleep(0)

        readers = [asyncio.create_task(read(n)) for n in range(5)]
        for step in range(40):
            await scene.say(rng.choice((0, 1, 9, 11, 400, 1_000, 2_600)))
            if step == 20:
                readers.append(asyncio.create_task(read(5)))
            scene.looks.release()
            for _ in range(rng.randrange(20)):
                await asyncio.sleep(0)
        await scene.world.end(scene.grant, done())
        ended = asyncio.gather(*readers)
        while not ended.done():
            await scene.look()
        assert set(await ended) == {TaskState.COMPLETED}
        assert all(numbers == list(range(1, scene.said + 1)) for numbers in seen)
        assert len(scene.tails) == 0


async def test_who_has_caught_up_costs_one_read_together() -> None:
    async with scene_with(ROOMY) as scene:
        seen: list[list[int]] = [[] for _ in range(20)]
        readers = [asyncio.create_task(read_all(scene.follow(), numbers)) for numbers in seen]
        await settle()
        scene.logs.reads.clear()
        for _ in range(3):
            await scene.say(10)
            await scene.look()
        assert scene.logs.reads == [{"t1": 0}, {"t1": 10}, {"t1": 20}]
        assert seen == [list(range(1, 31))] * 20
        for reader in readers:
            reader.cancel()


async def test_many_who_fall_back_share_what_is_read() -> None:
    """Twenty followers at different places, none of them held any more: they come together on the first page."""
    async with scene_with(ROOMY) as scene:
        await scene.say(4_000)
        followers = [scene.follow(after=10 * n) for n in range(20)]
        scene.logs.gate.clear()
        seen: list[list[int]] = [[] for _ in followers]
        reading = [asyncio.create_task(read_all(*pair)) for pair in zip(followers, seen, strict=True)]
        await settle()
        assert scene.logs.under_way == 1
        scene.logs.gate.set()
        for _ in range(20):
            await settle()
        assert [numbers[-1] for numbers in seen] == [4_000] * 20
        assert all(numbers == list(range(10 * n + 1, 4_001)) for n, numbers in enumerate(seen))
        assert len(scene.logs.reads) <= 4_000 // PAGE + 2
        for task in reading:
            task.cancel()


async def test_few_reads_at_once_of_however_many_logs() -> None:
    async with scene_with(ROOMY) as scene:
        for n in range(3 * READS_AT_ONCE):
            await scene.start(f"t{n}x")
        scene.logs.gate.clear()
        followers = [scene.tails.follow(f"t{n}x", 0) for n in range(3 * READS_AT_ONCE)]
        waiting = [asyncio.create_task(follower.next()) for follower in followers]
        await settle()
        assert scene.logs.under_way == READS_AT_ONCE
        scene.logs.gate.set()
        await settle()
        assert len(scene.logs.reads) >= len(followers), "each had its turn"
        assert scene.logs.most_under_way == READS_AT_ONCE
        for task in waiting:
            task.cancel()


async def test_a_log_is_read_no_faster_than_it_is_taken() -> None:
    async with scene_with(ROOMY) as scene:
        (follower,) = await caught_up(scene, 1)
        scene.logs.reads.clear()
        await scene.say(5_000)
        for _ in range(5):
            await scene.look()
        assert scene.logs.reads == []
        await next_of(scene, follower)
        assert len(scene.logs.reads) == 1


async def test_what_was_dropped_before_it_was_read_is_told_of() -> None:
    async with scene_with(StoreOptions(log_lines_max=1_000), held=1) as scene:
        (follower,) = await caught_up(scene, 1)
        seen: list[int] = []
        for _ in range(3):
            await scene.say(1_000)
        page = await next_of(scene, follower)
        assert page.lines[0].text == "[2,000 lines dropped]"
        seen = [line.seq for line in page.lines]
        await scene.say(5)
        seen += seqs(await next_of(scene, follower)) or []
        assert seen == list(range(2_000, 3_006))


async def test_a_follower_that_is_behind_waits_for_a_store_out_of_reach() -> None:
    async with scene_with(ROOMY) as scene:
        follower = scene.follow()
        await scene.say(3_000)
        await follower.next()
        scene.logs.away = True
        reading = asyncio.create_task(follower.next())
        await scene.look()
        assert not reading.done()
        scene.logs.away = False
        await scene.look()
        assert seqs(await reading) == list(range(1_001, 2_001))
        scene.logs.away = True
        with pytest.raises(Unavailable):
            await scene.follow().next()


async def test_a_store_that_lost_lines_lets_its_followers_go() -> None:
    async with scene_with(ROOMY) as scene:
        await scene.say(5)
        follower = scene.follow()
        assert seqs(await follower.next()) == [1, 2, 3, 4, 5]
        waiting = asyncio.create_task(follower.next())
        await settle()
        log = scene.store.logs._s.tasks["t1"].log
        assert log is not None
        log.lines.pop()
        log.last = 4
        await scene.look()
        with pytest.raises(Unavailable, match="lost lines"):
            await waiting


def test_an_end_is_not_remembered() -> None:
    """A task may be run again: each follower asks the store."""
    log = FollowedLog("t1", None, 10)  # type: ignore[arg-type]
    log.note(0, LogPage((), 0, 0, TaskState.FAILED))
    assert not log.caught_up(0)
    assert log.ready(0) is None


def held(log: FollowedLog) -> tuple[int, int]:
    return (log._lines[0].seq, log._lines[-1].seq)


def test_what_is_held_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    log = FollowedLog("t1", None, 10)  # type: ignore[arg-type]
    log.note(0, page_of(1, 8))
    log.note(8, page_of(9, 14))
    assert held(log) == (5, 14)
    assert (log.ready(3), seqs(log.ready(4)), log.ready(14)) == (None, list(range(5, 15)), None)
    log.note(14, page_of(15, 40))
    assert held(log) == (15, 40), "a page is held whole"
    monkeypatch.setattr(followed_log, "HELD_CHARS", 100)
    log.note(40, page_of(41, 43, text="x" * 30))
    log.note(43, page_of(44, 44, text="x" * 30))
    assert held(log) == (42, 44)


def test_what_is_held_has_no_gap() -> None:
    log = FollowedLog("t1", None, 100)  # type: ignore[arg-type]
    log.note(0, page_of(1, 8))
    log.note(2, page_of(3, 6, newest=8))  # of one who is behind
    assert (held(log), log.at) == ((1, 8), 8)
    log.note(20, page_of(21, 22))  # of one who came later
    assert (held(log), log.ready(7), seqs(log.ready(20))) == ((21, 22), None, [21, 22])
    log.note(22, page_of(31, 32, lost=8))
    assert (held(log), log.ready(22)) == ((31, 32), None)
    assert log.caught_up(32)
    log.note(32, page_of(33, 34, newest=40))
    assert not log.caught_up(34)


def test_part_of_a_page_tells_of_what_its_reader_lost() -> None:
    page = page_of(11, 20, lost=10)
    assert (page.part(4).lost, seqs(page.part(4))) == (6, list(range(11, 21)))
    assert (page.part(14).lost, seqs(page.part(14))) == (0, list(range(15, 21)))
