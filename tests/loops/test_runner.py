"""Starting, failing, stopping."""

import asyncio
import random

import pytest

from dispatcher.loops.runner import Loop, Runner
from tests.service.fakes import until


class Pauses:
    def __init__(self) -> None:
        self.taken: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)
        await asyncio.sleep(0)


async def test_rounds_follow_one_another_with_jittered_pauses() -> None:
    rounds, pauses = [], Pauses()

    async def duty() -> None:
        rounds.append(1)

    runner = Runner([Loop("duty", duty, 5.0)], rng=random.Random(1), sleep=pauses)
    await runner.start()
    await until(lambda: len(rounds) > 100)
    await runner.stop()
    assert 4.5 <= min(pauses.taken) < 4.7
    assert 5.3 < max(pauses.taken) <= 5.5


async def test_a_failing_loop_goes_on_and_the_log_has_one_line_for_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "dispatcher.loops.runner")
    rounds = []

    async def duty() -> None:
        rounds.append(1)
        if len(rounds) < 50:
            raise ValueError("a secret")

    runner = Runner([Loop("duty", duty, 1.0)], rng=random.Random(1), sleep=Pauses())
    await runner.start()
    await until(lambda: len(rounds) > 60)
    await runner.stop()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "a secret" not in caplog.text


async def test_one_failing_loop_does_not_disturb_another() -> None:
    rounds = []

    async def broken() -> None:
        raise RuntimeError

    async def duty() -> None:
        rounds.append(1)

    loops = [Loop("broken", broken, 1.0), Loop("duty", duty, 1.0)]
    runner = Runner(loops, rng=random.Random(1), sleep=Pauses())
    await runner.start()
    await until(lambda: len(rounds) > 20)
    await runner.stop()


async def test_stopping_waits_until_the_loops_have_ended() -> None:
    ended = []

    async def duty() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append(1)

    runner = Runner([Loop("duty", duty, 1.0)], rng=random.Random(1), sleep=Pauses())
    await runner.start()
    await asyncio.sleep(0)
    await runner.stop()
    assert ended == [1]


async def test_starting_and_stopping_may_be_repeated() -> None:
    running = 0

    async def duty() -> None:
        nonlocal running
        running += 1
        try:
            await asyncio.Event().wait()
        finally:
            running -= 1

    runner = Runner([Loop(f"duty{n}", duty, 1.0) for n in range(3)], rng=random.Random(1), sleep=Pauses())
    await runner.stop()
    before = len(asyncio.all_tasks())
    for round_ in range(100):
        await asyncio.gather(runner.start(), runner.start())
        assert runner.running
        if round_ % 2:
            await until(lambda: running == 3)
        await asyncio.gather(runner.stop(), runner.stop())
        assert not runner.running
        assert len(asyncio.all_tasks()) == before
