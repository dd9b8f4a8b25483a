"""What comes late, twice or from elsewhere about a gang."""

import pytest

from dispatcher.domain.errors import Forbidden, StaleAttempt
from dispatcher.domain.failure import Outcome, Verdict
from dispatcher.domain.reporter import ByAdmin, ByAttempt, ByHolder
from dispatcher.domain.transitions import TaskState
from tests.store.gangs import LEASE_MS, OFFER_MS, ask, end, gang, started, workers
from tests.store.world import GATEWAY, OWNER, World, done


async def test_a_gang_goes_on_after_its_first_rank_has_completed(world: World) -> None:
    zero, one = await started(world, "t1", "w1", "w2")
    await end(world, zero, done(b'{"rank":0}', "d0"))
    for _ in range(10):
        await world.later(LEASE_MS // 2)
        await world.beat(one.server_id)
    task = await world.task("t1")
    assert (task.state, task.losses) == (TaskState.PROCESSING, 0)
    assert (await end(world, one, done(digest="d1"))).state is TaskState.COMPLETED


async def test_progress_after_the_end_of_a_rank_takes_no_slot_again(world: World) -> None:
    zero, _ = await started(world, "t1", "w1", "w2")
    await end(world, zero, done(digest="d0"))
    await world.store.tasks.progress("t1", ByAdmin(), 50.0)
    assert await world.active(zero.server_id) == 0


async def test_a_new_connection_wants_nothing_yet(world: World) -> None:
    await workers(world, "w1", "w2")
    await gang(world, "t1", 2)
    assert await ask(world, "w1") is None
    await world.store.servers.connect("w1", "newer", GATEWAY)
    assert await ask(world, "w2") is None


async def test_a_worker_that_registers_again_finds_its_rank(world: World) -> None:
    await workers(world, "w1", "w2")
    await gang(world, "t1", 2)
    assert await ask(world, "w1") is None
    assert await ask(world, "w2") is not None
    await workers(world, "w1")
    grant = await ask(world, "w1")
    assert grant is not None
    assert grant.rank == 1


async def test_a_rank_that_is_not_taken_costs_nothing_after_a_registration_either(world: World) -> None:
    await workers(world, "w1", "w2")
    await gang(world, "t1", 2)
    assert await ask(world, "w1") is None
    assert await ask(world, "w2") is not None
    await workers(world, "w1")
    await world.later(OFFER_MS)
    task = await world.task("t1")
    assert (task.state, task.losses) == (TaskState.PENDING, 0)


async def test_only_who_had_the_rank_may_repeat_its_end(world: World) -> None:
    zero, one = await started(world, "t1", "w1", "w2")
    await end(world, zero, done(digest="d0"))
    await workers(world, "w3")
    finish = world.store.tasks.finish
    with pytest.raises(Forbidden):
        await finish("t1", ByHolder("w3"), done(digest="d0"), gateway=GATEWAY, retry_delay_ms=0)
    with pytest.raises(StaleAttempt):
        await finish("t1", ByAttempt(1, "another"), done(digest="d0"), gateway=GATEWAY, retry_delay_ms=0)
    with pytest.raises(StaleAttempt):
        await finish("t1", ByHolder(zero.server_id, 7), done(digest="d0"), gateway=GATEWAY, retry_delay_ms=0)
    await end(world, one, done(digest="d1"))


async def test_a_gang_that_was_paused_has_not_been_passed_over(world: World) -> None:
    await workers(world, "w1", "w2")
    await gang(world, "g", 3)
    assert await ask(world, "w1") is None
    await world.store.tasks.pause("g", origin="native", owner=OWNER)
    await world.later(20_000)
    for name in ("w1", "w2"):
        await world.beat(name)
    await world.later(20_000)
    await workers(world, "w3")
    await world.store.tasks.resume("g", origin="native", owner=OWNER)
    await gang(world, "s", 1)
    grant = await ask(world, "w1")
    assert grant is not None
    assert grant.task_id == "s"


async def test_a_late_word_on_a_gang_that_started_again_frees_its_worker(world: World) -> None:
    zero, one = await started(world, "t1", "w1", "w2")
    await workers(world, "w3", "w4")
    await end(world, one, Verdict.LOST)
    assert await ask(world, "w3") is None
    assert await ask(world, "w4") is not None
    taken = await ask(world, "w3")
    assert taken is not None
    assert (await world.task("t1")).fence == 2
    assert await world.active(zero.server_id) == 1
    with pytest.raises(StaleAttempt):
        await end(world, zero, Verdict.RELEASED)
    assert await world.active(zero.server_id) == 0
    with pytest.raises(StaleAttempt):
        await world.store.tasks.finish(
            "t1", ByHolder("w3", 1), Outcome(Verdict.RELEASED), gateway=GATEWAY, retry_delay_ms=0
        )
    assert [await world.active(name) for name in ("w3", "w4")] == [1, 1]
