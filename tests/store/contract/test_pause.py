"""Tasks that are held back, and let go on."""

import pytest

from dispatcher.domain.errors import AlreadyEnded, ConflictingResult, IllegalState, NoControl, NotFound, StaleAttempt
from dispatcher.domain.failure import Outcome, Verdict
from dispatcher.domain.grant import Grant
from dispatcher.domain.principal import Owner
from dispatcher.domain.reporter import ByHolder
from dispatcher.domain.server import Transport
from dispatcher.domain.transitions import TaskState
from dispatcher.store.options import StoreOptions
from tests.store.conftest import OpenWorld
from tests.store.world import GATEWAY, ORIGIN, OWNER, World, by, done, held

LEASE_MS = 30_000


async def pause(world: World, task_id: str = "t1", reason: str = "") -> None:
    await world.store.tasks.pause(task_id, origin=ORIGIN, owner=OWNER, reason=reason)


async def resume(world: World, task_id: str = "t1", reason: str = "") -> None:
    await world.store.tasks.resume(task_id, origin=ORIGIN, owner=OWNER, reason=reason)


async def ask(world: World, claim_id: str = "", worker: str = "w") -> Grant | None:
    name = claim_id or world.fresh("c")
    return await world.store.tasks.claim_next(
        worker, claim_id=name, nonce=f"n-{name}", gateway=GATEWAY, lease_ms=LEASE_MS
    )


async def given_worker(world: World, name: str = "w", **changes: object) -> None:
    await world.given_server(name, transport=Transport.SOCKET, **changes)


async def halted(world: World, **changes: object) -> Grant:
    """A running task of a worker on a socket, paused."""
    await given_worker(world, max_concurrent=1)
    await world.given_task("t1", **changes)
    grant = await ask(world)
    assert grant is not None
    await pause(world)
    return grant


async def looks(world: World, task_id: str = "t1") -> tuple[TaskState, bool]:
    task = await world.task(task_id)
    return task.state, task.attempt_lives


PAUSED_ALIVE = (TaskState.PAUSED, True)
PAUSED_IDLE = (TaskState.PAUSED, False)


# ---- what waits


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


# ---- what runs


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
