"""Followers that are behind: a burst costs nobody its place, and no more than a bounded number of reads."""

import asyncio
import random

import pytest

from dispatcher.domain.errors import Unavailable
from dispatcher.domain.transitions import TaskState
from dispatcher.service.followed_log import PAGE
from dispatcher.service.tails import READS_AT_ONCE
from dispatcher.store.options import StoreOptions
from tests.service.talking import caught_up, next_of, read_all, read_one, scene_with, seqs, settle
from tests.store.world import done

ROOMY = StoreOptions(log_lines_max=100_000)


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
        rests = [rng.choice((1, 3, 30)) for _ in seen]

        async def read(n: int) -> TaskState | None:
            follower = scene.follow()
            while True:
                page = await follower.next()
                seen[n] += [line.seq for line in page.lines]
                if page.complete:
                    follower.close()
                    return page.ended
                for _ in range(rng.randrange(rests[n])):
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


@pytest.mark.parametrize("places", [(4_000, 0, 10, 20), (3_000, 0, 3_000)])
async def test_who_is_far_behind_shares_as_well(places: tuple[int, ...]) -> None:
    """The first is at the end, and only what is near it is held."""
    async with scene_with(ROOMY) as scene:
        await scene.say(4_000)
        followers = [scene.follow(after=place) for place in places]
        scene.logs.gate.clear()
        seen: list[list[int]] = [[] for _ in followers]
        reading = [asyncio.create_task(read_all(*pair)) for pair in zip(followers, seen, strict=True)]
        await settle()
        scene.logs.gate.set()
        for _ in range(20):
            await settle()
        assert seen == [list(range(place + 1, 4_001)) for place in places]
        pages = sorted(after["t1"] for after in scene.logs.reads if after["t1"] < scene.said)
        assert pages == [0, 1_000, 2_000, 3_000]
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


async def test_what_comes_during_a_read_is_not_missed() -> None:
    async with scene_with(ROOMY) as scene:
        await scene.say(5)
        quick: list[int] = []
        reading = asyncio.create_task(read_all(scene.follow(), quick))
        await settle()
        scene.logs.late = 10**9
        late = asyncio.create_task(scene.follow(after=10**9).next())
        await settle()
        await scene.say(2)
        await scene.look()
        assert quick == list(range(1, 8))
        scene.logs.arrival.set()
        await settle()
        assert late.done()
        assert seqs(await late) == [6, 7]
        log = scene.tails._logs["t1"]
        assert (seqs(log.ready(0)), log.at) == (quick, 7), "an old answer changes nothing"
        reading.cancel()


@pytest.mark.parametrize("place", [6, 10**9])
async def test_what_a_newcomer_finds_is_news_for_those_who_wait(place: int) -> None:
    async with scene_with(ROOMY) as scene:
        await scene.say(5)
        seen: list[int] = []
        reading = asyncio.create_task(read_all(scene.follow(), seen))
        await settle()
        await scene.say(2)
        late = asyncio.create_task(scene.follow(after=place).next())
        await settle()
        assert seen == list(range(1, 8))
        reading.cancel()
        late.cancel()


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
