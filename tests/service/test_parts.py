"""The small parts: waits, latencies, retry waits, background work."""

import asyncio
import random

import pytest

from dispatcher.domain.errors import NotFound
from dispatcher.service import latencies as latencies_module
from dispatcher.service.background import Background, end_all
from dispatcher.service.latencies import Latencies
from dispatcher.service.retry import FullJitter
from dispatcher.service.waits import Waits


async def test_all_who_wait_for_a_task_are_woken_and_forgotten() -> None:
    waits = Waits()
    one, two, other = waits.expect("t1"), waits.expect("t1"), waits.expect("t2")
    waits.ended("t1")
    waits.ended("t1")
    waits.ended("nobody waits")
    assert (one.done(), two.done(), other.done()) == (True, True, False)
    for task_id, future in (("t1", one), ("t1", two), ("t2", other)):
        waits.forget(task_id, future)
    waits.forget("t1", one)
    assert len(waits) == 0


def test_latency_is_known_per_type_and_else_per_server() -> None:
    seen = Latencies()
    assert seen.of("a", "x") is None
    seen.observe("a", "x", 100, 0)
    seen.observe("a", "y", 300, 0)
    assert (seen.of("a", "x"), seen.of("a", "y")) == (100, 300)
    assert seen.of("a", "z") == seen.of("a") == 300, "the peak over all types"
    seen.observe("a", "y", 100, 10_000)
    assert 100 < (seen.of("a", "y") or 0) < 300, "good news is believed slowly"


def test_faults_count_as_ever_slower_up_to_a_bound() -> None:
    seen = Latencies()
    slow = []
    for _ in range(10):
        seen.fault("a", "x", 0)
        slow.append(seen.of("a", "x"))
    assert slow[:3] == [1_000, 2_000, 4_000]
    assert slow[-1] == 60_000


def test_latencies_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latencies_module, "MAX_KEPT", 4)
    seen = Latencies()
    for n in range(10):
        seen.observe(f"s{n}", "x", 1, n)
    assert seen.of("s0") is None
    assert seen.of("s9", "x") == seen.of("s8", "x") == 1


def test_retry_waits_are_even_from_zero_to_a_doubling_ceiling() -> None:
    wait = FullJitter(500, 30_000, random.Random(3))
    for failures, ceiling in ((0, 500), (1, 1_000), (4, 8_000), (6, 30_000), (5_000, 30_000)):
        drawn = [wait.delay_ms(failures) for _ in range(2_000)]
        assert 0 <= min(drawn) < ceiling * 0.02
        assert ceiling * 0.98 < max(drawn) <= ceiling
        assert abs(sum(drawn) / len(drawn) - ceiling / 2) < ceiling * 0.04
    assert FullJitter(500, 30_000, random.Random(3)).delay_ms(2) == FullJitter(500, 30_000, random.Random(3)).delay_ms(
        2
    ), "chance is an argument"


async def test_background_work_is_kept_alive_awaited_and_cancelled() -> None:
    background, gate = Background(), asyncio.Event()
    spawned = []

    async def parent() -> None:
        await gate.wait()
        spawned.append(background.spawn(asyncio.sleep(0)))

    background.spawn(parent())
    assert not await background.wait(0)
    gate.set()
    assert await background.wait(1.0)
    assert spawned[0].done(), "what work spawns is waited for, too"
    stuck = background.spawn(asyncio.Event().wait())
    await background.close()
    assert stuck.cancelled()
    assert len(background) == 0


async def test_errors_of_background_work_are_logged_without_their_text(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(error: Exception) -> None:
        raise error

    background = Background()
    background.spawn(broken(ValueError("a payload")))
    background.spawn(broken(NotFound("for the caller")))
    assert await background.wait(1.0)
    await asyncio.sleep(0)
    assert len(caplog.records) == 1
    assert "ValueError" in caplog.text
    assert "test_parts.py" in caplog.text
    assert "a payload" not in caplog.text


async def test_a_cancellation_that_is_swallowed_is_asked_for_again() -> None:
    cancelled = []

    async def stubborn() -> None:
        while len(cancelled) < 2:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(1)

    async def fails() -> None:
        raise ValueError

    tasks = [asyncio.ensure_future(stubborn()), asyncio.ensure_future(fails())]
    await asyncio.sleep(0)
    async with asyncio.timeout(2):
        await end_all(tasks, again_s=0.01)
    assert all(task.done() for task in tasks)


async def test_who_waits_is_told_to_look_for_themselves_when_this_gateway_stops() -> None:
    waits = Waits()
    with waits.expected("t1") as one, waits.expected("t2") as other:
        waits.give_up()
        assert (await one, await other) == (None, None)
    assert len(waits) == 0
