"""Reports that come late, twice, or from somebody else: each gets its one answer, and harms nothing."""

import pytest

from dispatcher.domain.errors import (
    AlreadyEnded,
    ConflictingResult,
    DispatchError,
    Forbidden,
    IllegalState,
    NotFound,
    StaleAttempt,
)
from dispatcher.domain.failure import Outcome, Verdict
from dispatcher.domain.grant import Finished, Grant
from dispatcher.domain.reporter import ByAdmin, ByAttempt, ByHolder, Reporter
from dispatcher.domain.task import Task
from dispatcher.domain.transitions import TaskState
from tests.store.world import GATEWAY, ORIGIN, World, by, done


async def report(world: World, who: Reporter, outcome: Outcome, task_id: str = "t1") -> Finished:
    return await world.store.tasks.finish(task_id, who, outcome, gateway=GATEWAY, retry_delay_ms=500)


async def refused(world: World, kind: type[DispatchError], who: Reporter, outcome: Outcome) -> DispatchError:
    """The refusal, which must leave task and server as they were."""
    before: Task = await world.task("t1")
    with pytest.raises(kind) as error:
        await report(world, who, outcome)
    assert await world.task("t1") == before
    with pytest.raises((StaleAttempt, AlreadyEnded, Forbidden, IllegalState)):
        await world.store.tasks.progress("t1", who, 99.0)
    assert await world.task("t1") == before
    return error.value


async def started(world: World) -> Grant:
    await world.given_server("s1")
    await world.given_server("s2")
    return await world.running("t1", "s1")


async def test_an_unknown_task(world: World) -> None:
    with pytest.raises(NotFound):
        await report(world, ByAttempt(1, "n"), done())
    with pytest.raises(NotFound):
        await world.store.tasks.progress("t1", ByAdmin(), 1.0)


async def test_an_older_attempt_is_stale(world: World) -> None:
    old = await started(world)
    await world.end(old, Verdict.RELEASED)
    new = await world.start("t1", "s2")
    await refused(world, StaleAttempt, by(old), done())
    assert await world.active("s2") == 1
    assert (await world.end(new, done())).state is TaskState.COMPLETED
    await refused(world, StaleAttempt, by(old), done())


@pytest.mark.parametrize(("fence", "nonce"), [(2, None), (0, None), (1, "guess"), (1, "")])
async def test_a_fence_or_nonce_that_was_never_given_is_stale(world: World, fence: int, nonce: str | None) -> None:
    grant = await started(world)
    given = grant.nonce if nonce is None else nonce
    await refused(world, StaleAttempt, ByAttempt(fence, given), done())


async def test_before_any_attempt_there_is_nothing_to_report(world: World) -> None:
    await world.given_server("s1")
    await world.given_task("t1")
    await refused(world, StaleAttempt, ByAttempt(0, ""), done())
    await refused(world, Forbidden, ByHolder("s1"), done())
    await refused(world, IllegalState, ByAdmin(), done())


@pytest.mark.parametrize("verdict", list(Verdict))
async def test_the_same_end_again_is_a_duplicate(world: World, verdict: Verdict) -> None:
    grant = await started(world)
    outcome = Outcome(verdict, result=b"1", digest="d", code="C", text="x")
    first = await world.end(grant, outcome)
    before = await world.task("t1")
    again = await world.end(grant, outcome)
    assert again.duplicate
    assert again.state is first.state
    assert await world.task("t1") == before


@pytest.mark.parametrize("other", [done(b"2", "d2"), Outcome(Verdict.FAILED), Outcome(Verdict.FAILURE)])
async def test_another_end_of_the_same_attempt_conflicts(world: World, other: Outcome) -> None:
    grant = await started(world)
    await world.end(grant, done(b"1", "d1"))
    await refused(world, ConflictingResult, by(grant), other)


async def test_a_result_saves_what_a_lost_lease_wrote_off(world: World) -> None:
    grant = await started(world)
    await world.later(15_000)
    assert (await world.task("t1")).losses == 1
    assert await world.state("t1") is TaskState.PENDING
    assert (await world.end(grant, done())).state is TaskState.COMPLETED
    assert await world.store.tasks.peek() == []  # out of the queue


async def test_a_result_saves_what_waits_for_a_retry(world: World) -> None:
    grant = await started(world)
    await world.end(grant, Outcome(Verdict.TIMED_OUT, slot_free=False))
    assert await world.active("s1") == 1
    assert (await world.end(grant, done())).state is TaskState.COMPLETED
    assert await world.active("s1") == 0
    await world.later(2_000)
    assert await world.state("t1") is TaskState.COMPLETED


async def test_a_second_failure_of_a_written_off_attempt_counts_nothing(world: World) -> None:
    grant = await started(world)
    await world.end(grant, Outcome(Verdict.TIMED_OUT, slot_free=False))
    answer = await world.end(grant, Outcome(Verdict.FAILURE, text="500"))
    assert (answer.state, answer.duplicate) == (TaskState.RETRYING, True)
    assert (await world.task("t1")).failures == 1
    assert await world.active("s1") == 0  # but the server has answered


@pytest.mark.parametrize("slot_free", [True, False])
async def test_a_cancelled_task_stays_cancelled_and_frees_its_slot(world: World, slot_free: bool) -> None:
    grant = await started(world)
    await world.store.tasks.cancel("t1", origin=ORIGIN, owner=None)
    assert await world.active("s1") == 1
    error = await refused(world, AlreadyEnded, by(grant), Outcome(Verdict.COMPLETED, slot_free=slot_free))
    assert error.code == "CANCELLED"
    assert await world.active("s1") == (0 if slot_free else 1)


async def test_a_timed_out_task_stays_timed_out_and_frees_its_slot(world: World) -> None:
    await world.given_server("s1")
    await world.given_task("t1", deadline_ms=world.now + 3_000)
    grant = await world.start("t1", "s1")
    await world.later(3_000)
    assert await world.active("s1") == 1
    error = await refused(world, AlreadyEnded, by(grant), done())
    assert error.code == "TIMEOUT"
    assert await world.active("s1") == 0


async def test_an_explicit_retry_voids_every_earlier_report(world: World) -> None:
    grant = await started(world)
    await world.end(grant, Outcome(Verdict.FAILED, digest="f"))
    await world.store.tasks.retry("t1", origin=ORIGIN, owner=None, waiting_ms=None)
    await refused(world, StaleAttempt, by(grant), done())
    await refused(world, StaleAttempt, by(grant), Outcome(Verdict.FAILED, digest="f"))
    await refused(world, StaleAttempt, ByHolder("s1"), done())
    await refused(world, IllegalState, ByAdmin(), done())
    assert (await world.start("t1", "s1")).fence == 2


async def test_a_holder_speaks_for_its_current_slot(world: World) -> None:
    await started(world)
    await refused(world, Forbidden, ByHolder("s2"), done())
    await refused(world, StaleAttempt, ByHolder("s1", fence=2), done())
    assert (await world.store.tasks.progress("t1", ByHolder("s1"), 10.0)).progress == 10.0
    assert (await report(world, ByHolder("s1"), done())).state is TaskState.COMPLETED
    assert (await report(world, ByHolder("s1"), done())).duplicate
    await refused(world, ConflictingResult, ByHolder("s1"), done(b"2", "d2"))
    await refused(world, Forbidden, ByHolder("s2"), done())


async def test_a_holder_that_lost_the_task_is_stale(world: World) -> None:
    await started(world)
    await world.later(15_000)
    await refused(world, StaleAttempt, ByHolder("s1"), done())
    await world.start("t1", "s2")
    await refused(world, StaleAttempt, ByHolder("s1"), done())
    assert (await report(world, ByHolder("s2"), done())).state is TaskState.COMPLETED


async def test_an_admin_speaks_for_the_current_attempt(world: World) -> None:
    await started(world)
    assert (await report(world, ByAdmin(), done())).state is TaskState.COMPLETED
    await refused(world, ConflictingResult, ByAdmin(), done(b"2", "d2"))


async def test_progress_never_goes_back(world: World) -> None:
    grant = await started(world)
    tasks = world.store.tasks
    assert (await tasks.progress("t1", by(grant), 40.0)).progress == 40.0
    rev = (await world.task("t1")).rev
    assert (await tasks.progress("t1", by(grant), 39.9)).progress == 40.0
    assert (await world.task("t1")).rev == rev
    await world.end(grant, Verdict.RELEASED)
    assert (await world.task("t1")).progress == 40.0
    await world.start("t1", "s2")
    assert (await world.task("t1")).progress == 40.0
