"""Many tasks that talk at once: the gateway is not flooded, and one that talks alone is not held up."""

import asyncio
import heapq
import itertools
import random
from collections import Counter
from typing import Any

import pytest

from dispatcher.agent.api import Identity
from dispatcher.agent.attempt import Attempt
from dispatcher.agent.outgoing import Outgoing
from dispatcher.agent.pace import Pace
from dispatcher.agent.task import End, Key, Task
from dispatcher.agent.work import Work

SAYS_S = 0.05  # between two lines of a task
FOR_S = 10.0


class Time:
    """It passes when everybody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Event]] = []

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.Event()
        heapq.heappush(self._sleepers, (self.now + seconds, next(self._order), woken))
        await woken.wait()

    async def pass_until_idle(self) -> None:
        while True:
            for _ in range(20):
                await asyncio.sleep(0)
            if not self._sleepers:
                return
            self.now, _, woken = heapq.heappop(self._sleepers)
            woken.set()


class Gateway:
    """Takes lines at once."""

    def __init__(self, time: Time) -> None:
        self._time = time
        self.posts: list[tuple[float, str, int]] = []  # when, of which task, how many lines

    async def append(self, me: Identity, key: Key, first: int, lines: list[dict[str, Any]]) -> None:
        self.posts.append((self._time.now, key[0], len(lines)))


class Talker:
    """Runs tasks that say a line now and then."""

    def __init__(self, time: Time) -> None:
        self._time = time

    async def run(self, attempt: Attempt) -> End:
        ends = self._time.now + FOR_S
        while self._time.now < ends:
            attempt.log.write("stdout", "x")
            await self._time.sleep(SAYS_S)
        return End(result=None)


async def talk(tasks: int) -> Gateway:
    time = Time()
    gateway = Gateway(time)
    pace = Pace(time.sleep, lambda: time.now)
    runners = {"process": Talker(time)}
    work = Work(runners, gateway, Outgoing(), rng=random.Random(1), sleep=time.sleep, pace=pace)  # type: ignore[arg-type]
    for n in range(tasks):
        work.begin(Task(f"t{n}", 1, "x", "process"), Identity("s1", "token"))
    await time.pass_until_idle()
    assert len(work) == 0
    said = Counter[str]()
    for _, task_id, count in gateway.posts:
        said[task_id] += count
    assert all(count >= FOR_S / SAYS_S for count in said.values()), "no line is lost"
    assert len(said) == tasks
    return gateway


@pytest.mark.parametrize("tasks", [20, 100])
async def test_together_they_send_fifty_times_a_second_and_none_is_left_behind(tasks: int) -> None:
    posts = (await talk(tasks)).posts
    begins = posts[0][0]
    in_time = [task_id for when, task_id, _ in posts if when <= begins + FOR_S]
    assert 450 <= len(in_time) <= 501
    turns = Counter(in_time)
    assert max(turns.values()) - min(turns.values()) <= 1


async def test_one_that_talks_alone_sends_what_it_said_in_a_tenth_of_a_second() -> None:
    posts = (await talk(1)).posts
    assert posts[0][0] == pytest.approx(100.1)
    assert 65 <= len(posts) <= 101, "as often as its lines come together"
