"""Running tasks that are held back: attempt, slot, lease and time."""

import pytest

from dispatcher.domain.errors import NoControl
from dispatcher.domain.failure import Verdict
from dispatcher.domain.server import Transport
from dispatcher.domain.transitions import TaskState
from tests.store.pausing import PAUSED_ALIVE, PAUSED_IDLE, ask, given_worker, halted, looks, pause, resume
from tests.store.world import GATEWAY, World, by, done, held


async def test_a_running_task_keeps_attempt_slot_and_lease(world: World) -> None:
    grant = await halted(world)
    assert await looks(world) == PAUSED_ALIVE
    assert await world.active("w") == 1
    await world.given_task("t2")
    assert await ask(world) is None
    assert [task.id for task in (await world.store.tasks.running(["w"]))["w"]] == ["t1"]
    for _ in range(3):
        await world.later(20_000)
        await world.beat("w", running=["t1"])
        assert await world.store.tasks.renew([held(grant)], gateway=GATEWAY, lease_ms=1) == frozenset()
    assert (await world.store.tasks.progress("t1", by(grant), 40)).progress == 40
    assert await looks(world) == PAUSED_ALIVE
    await world.later(20_000)
    await world.beat("w", running=["t1"])
    await world.later(20_000)
    await world.store.tasks.free_slot("t1", "w", grant.fence)
    assert await world.active("w") == 1
    await resume(world)
    found = await world.task("t1")
    assert (found.state, found.fence, found.server_id) == (TaskState.PROCESSING, 1, "w")
    assert (await world.end(grant, done())).state is TaskState.COMPLETED


async def test_each_step_is_told_with_its_state(world: World) -> None:
    grant = await halted(world)
    await world.store.tasks.progress("t1", by(grant), 10)
    await resume(world)
    await pause(world)
    await world.end(grant, Verdict.RELEASED)
    await resume(world)
    updates, _ = await world.store.tasks.updates("t1", 0)
    assert [(update.state.value, update.progress, update.attempt_lives) for update in updates] == [
        ("PENDING", 0, False),
        ("PROCESSING", 0, True),
        ("PAUSED", 0, True),
        ("PAUSED", 10, True),
        ("PROCESSING", 10, True),
        ("PAUSED", 10, True),
        ("PAUSED", 10, False),
        ("PENDING", 10, False),
    ]


async def test_a_second_pause_knows_nothing_of_the_first(world: World) -> None:
    grant = await halted(world)
    await resume(world)
    await world.end(grant, Verdict.RELEASED)
    await pause(world)
    assert await looks(world) == PAUSED_IDLE
    await resume(world)
    assert await looks(world) == (TaskState.PENDING, False)


async def test_a_repeat_changes_nothing(world: World) -> None:
    await halted(world)
    before = await world.task("t1")
    await pause(world, reason="again")
    assert await world.task("t1") == before
    await resume(world)
    before = await world.task("t1")
    await resume(world, reason="again")
    assert await world.task("t1") == before


async def test_its_time_stands_still(world: World) -> None:
    grant = await halted(world, timeout_ms=10_000)
    await world.later(25_000)
    await world.beat("w")
    await world.later(25_000)
    await world.beat("w")
    assert await looks(world) == PAUSED_ALIVE
    await resume(world)
    again = await ask(world, claim_id="c1")
    assert again is not None
    assert again.deadline_ms == grant.deadline_ms + 50_000
    await world.later(9_999)
    assert await world.state("t1") is TaskState.PROCESSING
    await world.later(1)
    assert await world.state("t1") is TaskState.RETRYING


async def test_its_time_never_goes_past_the_deadline(world: World) -> None:
    await halted(world, timeout_ms=10_000, deadline_ms=world.now + 12_000)
    await world.later(5_000)
    await resume(world)
    again = await ask(world, claim_id="c1")
    assert again is not None
    assert again.deadline_ms == world.now + 7_000


async def test_the_deadline_ends_it_and_its_slot_stays_until_the_lease_ends(world: World) -> None:
    await halted(world, deadline_ms=world.now + 10_000)
    await world.later(10_000)
    found = await world.task("t1")
    assert (found.state, found.attempt_lives, found.attempts[0].status.value) == (TaskState.TIMEOUT, False, "timeout")
    assert await world.active("w") == 1
    await world.later(20_000)
    assert await world.active("w") == 0


async def test_a_claim_whose_answer_was_lost_gets_it_though_paused(world: World) -> None:
    grant = await halted(world)
    assert await ask(world, claim_id="c1") == grant


@pytest.mark.parametrize("transport", [Transport.PUSH, Transport.PULL])
async def test_a_worker_without_a_socket_cannot_be_told(world: World, transport: Transport) -> None:
    await world.given_server("s1", transport=transport)
    await world.given_task("t1")
    await (ask(world, worker="s1") if transport is Transport.PULL else world.start("t1", "s1"))
    with pytest.raises(NoControl):
        await pause(world)
    assert await looks(world) == (TaskState.PROCESSING, True)


async def test_nor_can_a_call_that_a_gateway_holds(world: World) -> None:
    await world.given_server("s1")
    await world.running("t1", "s1")
    await given_worker(world, "s1")
    with pytest.raises(NoControl):
        await pause(world)
