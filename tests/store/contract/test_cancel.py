"""Cancelling and deleting: the task ends at once, its slot when the server is known to have stopped."""

import pytest

from dispatcher.domain.errors import IllegalState, NotFound
from dispatcher.domain.failure import Verdict
from dispatcher.domain.grant import Cancelled, Gone
from dispatcher.domain.principal import Owner
from dispatcher.domain.task import AttemptStatus
from dispatcher.domain.transitions import TaskState
from tests.store.world import ORIGIN, OWNER, World, done


async def cancel(world: World, task_id: str = "t1", owner: Owner | None = OWNER, origin: str = ORIGIN) -> Cancelled:
    return await world.store.tasks.cancel(task_id, origin=origin, owner=owner)


async def test_a_queued_task_is_gone_at_once(world: World) -> None:
    await world.given_server("s1")
    await world.given_task("t1")
    assert await cancel(world) == Cancelled()
    task = await world.task("t1")
    assert (task.state, task.ended_ms) == (TaskState.CANCELLED, world.now)
    assert await world.claim("t1", "s1") == Gone(TaskState.CANCELLED)
    await world.advance(300)
    assert await world.store.tasks.peek() == []


@pytest.mark.parametrize("waiting", [TaskState.SCHEDULED, TaskState.RETRYING])
async def test_a_task_that_waits_for_its_time_stays_cancelled(world: World, waiting: TaskState) -> None:
    await world.given_server("s1")
    if waiting is TaskState.SCHEDULED:
        await world.given_task("t1", run_at_ms=world.now + 1_000)
    else:
        await world.end(await world.running("t1", "s1"), Verdict.FAILURE)
    assert await world.state("t1") is waiting
    await cancel(world)
    await world.later(5_000)
    assert await world.state("t1") is TaskState.CANCELLED


async def test_a_running_task_leaves_its_slot_until_the_server_stops(world: World) -> None:
    await world.given_server("s1")
    grant = await world.running("t1", "s1")
    assert await cancel(world) == Cancelled("s1", grant.fence)
    assert await world.active("s1") == 1
    assert (await world.task("t1")).attempts[0].status is AttemptStatus.CANCELLED
    await world.store.tasks.free_slot("t1", "s1", grant.fence)
    assert await world.active("s1") == 0
    await world.store.tasks.free_slot("t1", "s1", grant.fence)
    assert await world.active("s1") == 0


async def test_the_slot_of_a_running_attempt_cannot_be_freed(world: World) -> None:
    await world.given_server("s1")
    grant = await world.running("t1", "s1")
    await world.store.tasks.free_slot("t1", "s1", grant.fence)
    assert await world.active("s1") == 1


async def test_a_second_cancel_changes_nothing(world: World) -> None:
    await world.given_server("s1")
    await world.running("t1", "s1")
    await cancel(world)
    before = await world.task("t1")
    assert (await cancel(world)).already
    assert await world.task("t1") == before


async def test_what_ended_otherwise_cannot_be_cancelled(world: World) -> None:
    await world.given_server("s1")
    await world.end(await world.running("t1", "s1"), done())
    with pytest.raises(IllegalState):
        await cancel(world)


@pytest.mark.parametrize(
    ("owner", "origin"), [(Owner("acme", "bob"), ORIGIN), (Owner("other", "ann"), ORIGIN), (OWNER, "farm")]
)
async def test_anothers_task_does_not_exist(world: World, owner: Owner, origin: str) -> None:
    await world.given_task("t1")
    with pytest.raises(NotFound):
        await cancel(world, owner=owner, origin=origin)
    with pytest.raises(NotFound):
        await world.store.tasks.delete("t1", origin=origin, owner=owner)
    with pytest.raises(NotFound):
        await world.store.tasks.retry("t1", origin=origin, owner=owner, waiting_ms=None)
    assert await world.state("t1") is TaskState.PENDING
    with pytest.raises(NotFound):
        await cancel(world, "unknown")


async def test_an_admin_may_cancel_anything_of_the_origin(world: World) -> None:
    await world.given_task("t1")
    await cancel(world, owner=None)
    assert await world.state("t1") is TaskState.CANCELLED


async def test_a_deleted_task_leaves_no_trace(world: World) -> None:
    await world.given_task("t1")
    with pytest.raises(IllegalState):
        await world.store.tasks.delete("t1", origin=ORIGIN, owner=OWNER)
    await cancel(world)
    await world.store.tasks.delete("t1", origin=ORIGIN, owner=OWNER)
    assert (await world.store.tasks.get("t1"))[0] is None
    assert await world.store.tasks.updates("t1", 0) == ([], False)
    with pytest.raises(NotFound):
        await cancel(world)
