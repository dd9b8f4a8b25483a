"""How a gang ends, or goes back to the queue, with one of its ranks."""

import pytest

from dispatcher.domain.errors import AlreadyEnded, ConflictingResult, StaleAttempt
from dispatcher.domain.failure import Outcome, Verdict
from dispatcher.domain.transitions import TaskState
from tests.store.gangs import LEASE_MS, OFFER_MS, ask, end, gang, started, workers
from tests.store.world import OWNER, World, done


async def test_the_last_rank_completes_the_task_with_what_rank_0_brought(world: World) -> None:
    zero, one, two = await started(world, "t1", "w1", "w2", "w3")
    assert (await end(world, zero, done(b'{"rank":0}', "d0"))).state is TaskState.PROCESSING
    assert await world.active(zero.server_id) == 0
    assert (await end(world, two, done(b'{"rank":2}', "d2"))).state is TaskState.PROCESSING
    assert (await end(world, one, done(b'{"rank":1}', "d1"))).state is TaskState.COMPLETED
    task = await world.task("t1")
    assert task.result == b'{"rank":0}'
    assert [await world.active(name) for name in ("w1", "w2", "w3")] == [0, 0, 0]
    assert (await end(world, one, done(b'{"rank":1}', "d1"))).duplicate
    assert (await end(world, zero, done(b'{"rank":0}', "d0"))).duplicate


async def test_a_failed_rank_stops_the_rest(world: World) -> None:
    zero, one = await started(world, "t1", "w1", "w2")
    await end(world, one, Outcome(Verdict.FAILED, code="WORKER_FAILED", text="nan", digest="f"))
    assert await world.state("t1") is TaskState.FAILED
    assert await world.active(one.server_id) == 0
    assert await world.active(zero.server_id) == 1  # until it says that it has stopped
    with pytest.raises(ConflictingResult):
        await end(world, zero, done())
    assert await world.active(zero.server_id) == 0


async def test_a_lost_rank_sends_the_gang_back(world: World) -> None:
    zero, one = await started(world, "t1", "w1", "w2")
    await world.later(LEASE_MS - 5_000)
    await world.beat(zero.server_id)
    await world.later(5_000)
    task = await world.task("t1")
    assert (task.state, task.losses) == (TaskState.PENDING, 1)
    assert await world.active(one.server_id) == 0
    assert await world.active(zero.server_id) == 1
    with pytest.raises(StaleAttempt):
        await end(world, zero, done())
    assert await world.active(zero.server_id) == 0
    with pytest.raises(StaleAttempt):
        await end(world, one, done())


async def test_a_lost_rank_ends_a_gang_that_must_not_restart(world: World) -> None:
    zero, _ = await started(world, "t1", "w1", "w2", gang_restart=False)
    await world.later(LEASE_MS - 5_000)
    await world.beat(zero.server_id)
    await world.later(5_000)
    task = await world.task("t1")
    assert task.state is TaskState.FAILED
    assert task.error is not None
    assert task.error.code == "RANK_LOST"


async def test_three_losses_end_it(world: World) -> None:
    await started(world, "t1", "w1", "w2")
    for _ in range(2):
        await world.later(LEASE_MS + 6_000)
        assert await ask(world, "w1") is None
        assert await ask(world, "w2") is not None
        assert await ask(world, "w1") is not None
    await world.later(LEASE_MS + 6_000)
    task = await world.task("t1")
    assert task.state is TaskState.FAILED
    assert task.error is not None
    assert task.error.code == "POISON"


async def test_a_rank_that_is_never_taken_costs_nothing(world: World) -> None:
    await workers(world, "w1", "w2")
    await gang(world, "t1", 2)
    assert await ask(world, "w1") is None
    assert await ask(world, "w2") is not None
    await world.later(OFFER_MS)
    task = await world.task("t1")
    assert (task.state, task.losses, task.failures) == (TaskState.PENDING, 0, 0)
    assert await world.active("w1") == 0
    assert await world.active("w2") == 1


async def test_a_cancelled_gang_keeps_its_slots_until_the_workers_stop(world: World) -> None:
    grants = await started(world, "t1", "w1", "w2")
    await world.store.tasks.cancel("t1", origin="native", owner=OWNER)
    assert [await world.active(name) for name in ("w1", "w2")] == [1, 1]
    for grant in grants:
        with pytest.raises(AlreadyEnded):
            await end(world, grant, done())
    assert [await world.active(name) for name in ("w1", "w2")] == [0, 0]


async def test_a_worker_that_is_unregistered_sends_the_gang_back(world: World) -> None:
    _, one = await started(world, "t1", "w1", "w2")
    await world.store.servers.remove(one.server_id)
    task = await world.task("t1")
    assert (task.state, task.losses) == (TaskState.PENDING, 0)


async def test_a_rank_lost_while_paused_leaves_the_gang_paused_without_an_attempt(world: World) -> None:
    grants = await started(world, "t1", "w1", "w2")
    await world.store.tasks.pause("t1", origin="native", owner=OWNER)
    await world.later(LEASE_MS)
    task = await world.task("t1")
    assert (task.state, task.attempt_lives, task.losses) == (TaskState.PAUSED, False, 1)
    with pytest.raises(StaleAttempt):
        await end(world, grants[1], done())
    await world.store.tasks.resume("t1", origin="native", owner=OWNER)
    assert await world.state("t1") is TaskState.PENDING


async def test_a_rank_of_a_removed_gang_is_let_go(world: World) -> None:
    grants = await started(world, "t1", "w1", "w2")
    await world.store.tasks.free_slot("t1", grants[1].server_id, 1)
    assert await world.active(grants[1].server_id) == 1, "the attempt lives"
    await world.store.tasks.cancel("t1", origin="native", owner=OWNER)
    await world.store.tasks.delete("t1", origin="native", owner=OWNER)
    for grant in grants:
        await world.store.tasks.free_slot("t1", grant.server_id, grant.fence)
    assert [await world.active(name) for name in ("w1", "w2")] == [0, 0]
