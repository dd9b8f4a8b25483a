"""How the attempt of a paused task ends: lost, by a report, or cancelled."""

import pytest

from dispatcher.domain.errors import AlreadyEnded, ConflictingResult, IllegalState, NotFound, StaleAttempt
from dispatcher.domain.failure import Outcome, Verdict
from dispatcher.domain.principal import Owner
from dispatcher.domain.reporter import ByHolder
from dispatcher.domain.transitions import TaskState
from dispatcher.store.options import StoreOptions
from tests.store.conftest import OpenWorld
from tests.store.pausing import PAUSED_ALIVE, PAUSED_IDLE, ask, given_worker, halted, looks, pause, resume
from tests.store.world import GATEWAY, ORIGIN, OWNER, World, by, done

# ---- an attempt that is lost while it waits


async def test_a_lease_that_ends_frees_the_slot_and_the_task_stays_paused(world: World) -> None:
    await halted(world)
    await world.later(30_000)
    found = await world.task("t1")
    assert (found.state, found.attempt_lives, found.losses) == (TaskState.PAUSED, False, 1)
    assert found.attempts[0].status.value == "lost"
    assert await world.active("w") == 0
    assert await ask(world) is None
    await resume(world)
    again = await ask(world)
    assert again is not None
    assert (again.fence, again.losses) == (2, 1)


async def test_one_loss_too_many_ends_it(open_world: OpenWorld) -> None:
    world = await open_world(StoreOptions(losses_max=1))
    await halted(world)
    await world.later(30_000)
    found = await world.task("t1")
    assert found.error is not None
    assert (found.state, found.error.code) == (TaskState.FAILED, "POISON")


@pytest.mark.parametrize("how", ["registered again", "restarted", "not listed"])
async def test_a_worker_that_forgot_it_loses_it(world: World, how: str) -> None:
    await halted(world)
    if how == "registered again":
        await given_worker(world)
    elif how == "restarted":
        await world.beat("w", boot_id="b1")
        assert await looks(world) == PAUSED_ALIVE
        await world.beat("w", boot_id="b2")
    else:
        await world.beat("w", running=[])
        await world.advance(1_000)
        await world.beat("w", running=[])
    found = await world.task("t1")
    assert (found.state, found.attempt_lives, found.losses) == (TaskState.PAUSED, False, 1)
    assert await world.active("w") == 0


async def test_a_worker_that_is_unregistered_gives_it_back_uncounted(world: World) -> None:
    await halted(world)
    await world.store.servers.remove("w")
    found = await world.task("t1")
    assert (found.state, found.attempt_lives, found.losses) == (TaskState.PAUSED, False, 0)
    assert found.attempts[0].status.value == "released"
    await resume(world)
    assert await world.state("t1") is TaskState.PENDING


# ---- reports


@pytest.mark.parametrize(("verdict", "state"), [(Verdict.COMPLETED, "COMPLETED"), (Verdict.FAILED, "FAILED")])
async def test_a_last_word_ends_it(world: World, verdict: Verdict, state: str) -> None:
    grant = await halted(world)
    outcome = Outcome(verdict, b"1", "d", code="X", text="x")
    assert (await world.end(grant, outcome)).state.value == state
    assert await looks(world) == (TaskState(state), False)
    assert await world.active("w") == 0
    with pytest.raises(ConflictingResult):
        await world.end(grant, Outcome(verdict, b"2", "other"))
    with pytest.raises(IllegalState):
        await resume(world)
    with pytest.raises(IllegalState):
        await pause(world)


@pytest.mark.parametrize("verdict", [Verdict.FAILURE, Verdict.TIMED_OUT])
async def test_a_failure_counts_and_the_last_one_ends_it(world: World, verdict: Verdict) -> None:
    outcome = Outcome(verdict, code="X", text="no")
    grant = await halted(world, attempts_max=2)
    assert (await world.end(grant, outcome)).state is TaskState.PAUSED
    found = await world.task("t1")
    assert (found.failures, found.retry_at_ms, found.attempt_lives) == (1, None, False)
    await world.later(10_000)
    assert await looks(world) == PAUSED_IDLE
    await resume(world)
    grant = await ask(world)  # type: ignore[assignment]
    assert grant is not None
    await pause(world)
    ended = await world.end(grant, outcome)
    assert ended.state is (TaskState.FAILED if verdict is Verdict.FAILURE else TaskState.TIMEOUT)
    await world.store.tasks.retry("t1", origin=ORIGIN, owner=OWNER, waiting_ms=None)
    await pause(world)
    assert await looks(world) == PAUSED_IDLE


@pytest.mark.parametrize("verdict", [Verdict.LOST, Verdict.BUSY, Verdict.NOT_SENT, Verdict.RELEASED])
async def test_other_ends_leave_it_paused_and_hand_it_to_nobody(world: World, verdict: Verdict) -> None:
    grant = await halted(world)
    await world.given_server("s1")
    ended = await world.end(grant, verdict, want_next="n")
    assert (ended.state, ended.candidates, ended.grant) == (TaskState.PAUSED, None, None)
    found = await world.task("t1")
    assert (found.attempt_lives, found.losses) == (False, int(verdict is Verdict.LOST))
    assert await world.active("w") == 0
    again = await world.end(grant, verdict, want_next="n")
    assert (again.state, again.duplicate) == (TaskState.PAUSED, True)
    with pytest.raises(StaleAttempt):
        await world.store.tasks.progress("t1", by(grant), 50)


async def test_a_cancelled_one_keeps_its_slot_until_the_worker_stops(world: World) -> None:
    grant = await halted(world)
    with pytest.raises(IllegalState):
        await world.store.tasks.cancel("t1", origin=ORIGIN, owner=OWNER, waiting_only=True)
    cancelled = await world.store.tasks.cancel("t1", origin=ORIGIN, owner=OWNER)
    assert (cancelled.server_id, cancelled.fence) == ("w", grant.fence)
    found = await world.task("t1")
    assert (found.state, found.attempt_lives, found.attempts[0].status.value) == (
        TaskState.CANCELLED,
        False,
        "cancelled",
    )
    assert await world.active("w") == 1
    with pytest.raises(AlreadyEnded):
        await world.end(grant, Verdict.RELEASED)
    assert await world.active("w") == 0


async def test_a_paused_waiting_task_is_cancelled_and_never_waits_again(world: World) -> None:
    await world.given_task("t1")
    await pause(world)
    await world.store.tasks.cancel("t1", origin=ORIGIN, owner=OWNER, waiting_only=True)
    assert await world.state("t1") is TaskState.CANCELLED


async def test_it_is_not_there_for_others(world: World) -> None:
    await world.given_task("t1")
    for origin, owner in ((ORIGIN, Owner("acme", "bob")), ("farm", OWNER), ("farm", None)):
        with pytest.raises(NotFound):
            await world.store.tasks.pause("t1", origin=origin, owner=owner)
        with pytest.raises(NotFound):
            await world.store.tasks.resume("t1", origin=origin, owner=owner)
    await world.store.tasks.pause("t1", origin=ORIGIN, owner=None)
    await world.store.tasks.resume("t1", origin=ORIGIN, owner=None)
    assert await world.state("t1") is TaskState.PENDING


async def test_a_worker_speaks_for_it_while_it_waits(world: World) -> None:
    await halted(world)
    ended = await world.store.tasks.finish("t1", ByHolder("w"), done(), gateway=GATEWAY, retry_delay_ms=1)
    assert ended.state is TaskState.COMPLETED
