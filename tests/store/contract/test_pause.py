"""Tasks that are held back while they wait, and let go on."""

import pytest

from dispatcher.domain.errors import StaleAttempt
from dispatcher.domain.failure import Verdict
from dispatcher.domain.transitions import TaskState
from tests.store.pausing import LEASE_MS, ask, given_worker, pause, resume
from tests.store.world import GATEWAY, World, by, done, held


async def test_a_waiting_task_leaves_the_queue_and_comes_back_to_its_place(world: World) -> None:
    await given_worker(world)
    for name in ("t1", "t2"):
        await world.given_task(name)
        await world.advance(1)
    await pause(world, reason="lunch")
    found = await world.task("t1")
    assert (found.state, found.attempt_lives, found.reason) == (TaskState.PAUSED, False, "lunch")
    await world.given_task("t3")
    await resume(world, reason="back")
    found = await world.task("t1")
    assert (found.state, found.reason) == (TaskState.PENDING, "back")
    grants = [await ask(world) for _ in range(3)]
    assert [grant.task_id for grant in grants if grant is not None] == ["t1", "t2", "t3"]


async def test_what_is_paused_is_started_by_nobody(world: World) -> None:
    await world.given_server("s1")
    await given_worker(world)
    await world.given_task("t1")
    await pause(world)
    assert type(await world.claim("t1", "s1")).__name__ == "Gone"
    await world.advance(10_000)
    assert await ask(world) is None
    assert await world.store.tasks.peek() == []


async def test_a_resumed_task_has_not_waited_yet_and_wakes_a_gateway(world: World) -> None:
    await world.given_server("s1")
    await world.given_task("t1")
    await pause(world)
    await world.later(10_000)
    async with world.inbox() as inbox:
        await resume(world)
        await inbox.until(lambda message: message.kind == "wake")
    assert await world.store.tasks.peek() == []
    await world.advance(251)
    assert [waiting.task_id for waiting in await world.store.tasks.peek()] == ["t1"]


async def test_nobody_has_the_first_right_to_a_resumed_task(world: World) -> None:
    await world.given_server("s1")
    assert (await world.given_task("t1")).candidates is not None
    await pause(world)
    await resume(world)
    assert (await world.start("t1", "s1", gateway="gw_2")).task_id == "t1"


async def test_a_resumed_task_still_avoids_the_server_that_failed_it(world: World) -> None:
    for name in ("s1", "s2"):
        await world.given_server(name)
    other = await world.running("t2", "s1")
    await world.end(await world.running("t1", "s1"), Verdict.FAILURE)
    await pause(world)
    await world.later(10_000)
    await resume(world)
    assert (await world.end(other, done(), want_next="n")).grant is None


async def test_before_its_run_at_it_waits_for_that_again(world: World) -> None:
    await given_worker(world)
    await world.given_task("t1", run_at_ms=world.now + 20_000)
    await pause(world)
    await resume(world)
    assert await world.state("t1") is TaskState.SCHEDULED
    await pause(world)
    await world.later(20_000)
    assert await world.state("t1") is TaskState.PAUSED, "its time came and went"
    await resume(world)
    assert await world.state("t1") is TaskState.PENDING

    await world.given_task("t2", run_at_ms=world.now + 20_000)
    await pause(world, "t2")
    await resume(world, "t2")
    await world.later(20_000)
    assert await world.state("t2") is TaskState.PENDING


async def test_a_wait_before_a_retry_ends_with_the_pause(world: World) -> None:
    await world.given_server("s1")
    await world.end(await world.running("t1", "s1"), Verdict.FAILURE)
    await pause(world)
    assert (await world.task("t1")).retry_at_ms is None
    await world.later(5_000)
    assert await world.state("t1") is TaskState.PAUSED
    await resume(world)
    assert await world.state("t1") is TaskState.PENDING


@pytest.mark.parametrize("bound", ["deadline_ms", "waiting_ms"])
async def test_deadlines_go_on_counting(world: World, bound: str) -> None:
    await world.given_task("t1", **{bound: 10_000 + (world.now if bound == "deadline_ms" else 0)})
    await pause(world)
    await world.later(9_999)
    assert await world.state("t1") is TaskState.PAUSED
    await world.later(1)
    assert await world.state("t1") is TaskState.TIMEOUT


async def test_a_late_result_still_ends_it(world: World) -> None:
    await world.given_server("s1")
    grant = await world.running("t1", "s1")
    await world.end(grant, Verdict.RELEASED)
    await pause(world)
    assert (await world.end(grant, Verdict.LOST, retry_delay_ms=1)).duplicate
    with pytest.raises(StaleAttempt):
        await world.store.tasks.progress("t1", by(grant), 50)
    assert await world.store.tasks.renew([held(grant)], gateway=GATEWAY, lease_ms=LEASE_MS) == frozenset()
    assert (await world.task("t1")).losses == 0
    assert (await world.end(grant, done())).state is TaskState.COMPLETED
