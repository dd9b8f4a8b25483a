"""An explicit retry: a new run of the same task."""

import pytest

from dispatcher.domain.errors import IllegalState
from dispatcher.domain.failure import Outcome, Verdict
from dispatcher.domain.grant import Created
from dispatcher.domain.transitions import TaskState
from tests.store.world import ORIGIN, OWNER, World, by, done


async def retry(world: World, waiting_ms: int | None = None) -> Created:
    return await world.store.tasks.retry("t1", origin=ORIGIN, owner=OWNER, waiting_ms=waiting_ms)


async def failed(world: World) -> None:
    await world.given_server("s1", max_concurrent=1)
    grant = await world.running("t1", "s1")
    await world.store.tasks.progress("t1", by(grant), 50.0)
    await world.end(grant, Outcome(Verdict.FAILED, code="X", text="y"))


async def test_a_failed_task_starts_over_with_its_fence(world: World) -> None:
    await failed(world)
    await world.advance(1_000)
    created = await retry(world)
    assert (created.task_id, created.state) == ("t1", TaskState.PENDING)
    assert created.candidates is not None
    task = await world.task("t1")
    assert (task.state, task.run, task.fence, task.failures, task.losses) == (TaskState.PENDING, 1, 1, 0, 0)
    assert (task.result, task.error, task.progress, task.ended_ms) == (None, None, 0.0, None)
    assert (await world.start("t1", "s1")).fence == 2


async def test_its_place_is_that_of_a_new_task(world: World) -> None:
    await failed(world)
    grant = await world.running("t0", "s1")
    await world.advance(1)
    await world.given_task("t2")
    await world.advance(1)
    await retry(world)
    finished = await world.end(grant, done(), want_next="n")
    assert finished.grant is not None
    assert finished.grant.task_id == "t2"


async def test_the_servers_that_failed_it_are_forgiven(world: World) -> None:
    await world.given_server("s1")
    await world.given_server("s2")
    await world.given_task("t1", attempts_max=1)
    await world.end(await world.start("t1", "s1"), Verdict.FAILURE)
    await retry(world)
    assert (await world.start("t1", "s1")).tried == frozenset()


async def test_a_new_run_may_wait_for_so_long(world: World) -> None:
    await failed(world)
    await retry(world, waiting_ms=5_000)
    await world.later(4_999)
    assert await world.state("t1") is TaskState.PENDING
    await world.later(1)
    assert await world.state("t1") is TaskState.TIMEOUT


async def test_a_deadline_that_ended_it_does_not_end_it_again(world: World) -> None:
    await world.given_task("t1", deadline_ms=world.now + 1_000)
    await world.later(1_000)
    assert await world.state("t1") is TaskState.TIMEOUT
    await retry(world)
    await world.later(5_000)
    assert await world.state("t1") is TaskState.PENDING


@pytest.mark.parametrize("state", [TaskState.PENDING, TaskState.PROCESSING, TaskState.COMPLETED, TaskState.CANCELLED])
async def test_only_failed_and_timed_out_tasks_can_be_retried(world: World, state: TaskState) -> None:
    await world.given_server("s1")
    await world.given_task("t1")
    if state is TaskState.CANCELLED:
        await world.store.tasks.cancel("t1", origin=ORIGIN, owner=OWNER)
    elif state is not TaskState.PENDING:
        grant = await world.start("t1", "s1")
        if state is TaskState.COMPLETED:
            await world.end(grant, done())
    assert await world.state("t1") is state
    with pytest.raises(IllegalState):
        await retry(world)
