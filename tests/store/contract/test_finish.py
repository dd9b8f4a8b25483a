"""The end of an attempt: what each verdict does to the task, its slot and the next one in the queue."""

import pytest

from dispatcher.domain.failure import Outcome, Verdict
from dispatcher.domain.grant import Candidates, FreeServer
from dispatcher.domain.task import AttemptStatus, TaskError
from dispatcher.domain.transitions import TaskState
from tests.store.world import World, done


async def test_a_result_completes_the_task(world: World) -> None:
    await world.given_server("s1")
    grant = await world.running("t1", "s1")
    await world.advance(40)
    finished = await world.end(grant, done(b'[1, "\xc3\xa9"]'))
    assert (finished.state, finished.duplicate, finished.grant) == (TaskState.COMPLETED, False, None)
    task = await world.task("t1")
    assert (task.result, task.error, task.progress, task.ended_ms) == (b'[1, "\xc3\xa9"]', None, 100.0, world.now)
    assert (task.server_id, task.attempt_lives) == ("s1", False)
    assert [(a.status, a.ended_ms) for a in task.attempts] == [(AttemptStatus.COMPLETED, world.now)]
    assert await world.active("s1") == 0


@pytest.mark.parametrize("outcome", [done(b'{"a": 1}'), Outcome(Verdict.FAILED, code="REJECTED", text="no")])
async def test_the_ended_task_comes_along_when_it_is_asked_for(world: World, outcome: Outcome) -> None:
    """All of it, so that a waiting caller costs no further call; a task that has not ended is not told."""
    await world.given_server("s1")
    finished = await world.end(await world.running("t1", "s1"), outcome, want_task=True)
    assert finished.task == await world.task("t1")
    retried = await world.end(await world.running("t2", "s1"), Verdict.FAILURE, want_task=True)
    assert (retried.state, retried.task) == (TaskState.RETRYING, None)


async def test_the_tasks_own_fault_is_final(world: World) -> None:
    await world.given_server("s1")
    grant = await world.running("t1", "s1")
    finished = await world.end(grant, Outcome(Verdict.FAILED, code="REJECTED", text="no such model"))
    task = await world.task("t1")
    assert finished.state is task.state is TaskState.FAILED
    assert (task.error, task.failures) == (TaskError("REJECTED", "no such model"), 0)


async def test_a_failure_is_tried_again_later(world: World) -> None:
    await world.given_server("s1")
    grant = await world.running("t1", "s1")
    finished = await world.end(grant, Verdict.FAILURE, retry_delay_ms=700)
    assert finished.state is TaskState.RETRYING
    task = await world.task("t1")
    assert (task.failures, task.retry_at_ms, task.error) == (1, world.now + 700, None)
    await world.later(699)
    assert await world.state("t1") is TaskState.RETRYING
    await world.later(1)
    task = await world.task("t1")
    assert (task.state, task.retry_at_ms) == (TaskState.PENDING, None)


@pytest.mark.parametrize(
    ("verdict", "state"), [(Verdict.FAILURE, TaskState.FAILED), (Verdict.TIMED_OUT, TaskState.TIMEOUT)]
)
async def test_the_last_permitted_failure_ends_the_task(world: World, verdict: Verdict, state: TaskState) -> None:
    await world.given_server("s1")
    await world.given_task("t1", attempts_max=2)
    for last in (False, True):
        grant = await world.start("t1", "s1")
        finished = await world.end(grant, Outcome(verdict, code="WHY", text="because"))
        assert finished.state is (state if last else TaskState.RETRYING)
        await world.later(2_000)
    task = await world.task("t1")
    assert (task.state, task.error, task.failures) == (state, TaskError("WHY", "because"), 2)


async def test_three_losses_poison(world: World) -> None:
    await world.given_server("s1")
    await world.given_task("t1")
    for losses in (1, 2, 3):
        await world.advance(300)
        finished = await world.end(await world.start("t1", "s1"), Outcome(Verdict.LOST, text="reset"))
        assert finished.state is (TaskState.FAILED if losses == 3 else TaskState.PENDING)
        task = await world.task("t1")
        assert (task.losses, task.failures) == (losses, 0)
    assert task.error is not None
    assert task.error.code == "POISON"


@pytest.mark.parametrize("verdict", [Verdict.BUSY, Verdict.NOT_SENT, Verdict.RELEASED])
async def test_nobodys_fault_goes_back_to_the_old_place(world: World, verdict: Verdict) -> None:
    await world.given_server("s1", max_concurrent=1)
    grant = await world.running("t1", "s1")
    await world.given_task("t2")
    finished = await world.end(grant, verdict)
    assert finished.state is TaskState.PENDING
    task = await world.task("t1")
    assert (task.failures, task.losses, task.fence, task.state) == (0, 0, 1, TaskState.PENDING)
    await world.given_server("s2", max_concurrent=1)
    await world.advance(300)
    assert (await world.start("t2", "s2")).task_id == "t1"  # behind it


@pytest.mark.parametrize("verdict", [Verdict.BUSY, Verdict.NOT_SENT])
async def test_busy_and_not_sent_hand_on_to_another_server(world: World, verdict: Verdict) -> None:
    await world.given_server("s1")
    await world.given_server("s2")
    grant = await world.running("t1", "s1")
    other = await world.running("t2", "s2")
    finished = await world.end(grant, verdict, want_next="n")
    assert finished.grant is None
    assert finished.candidates == Candidates((FreeServer("s2", 1.0),))
    assert finished.turn == 2
    second = await world.end(other, done(), want_next="n2")
    assert second.grant is None  # the first right to t1 is still with its gateway
    assert (await world.start("t1", "s2")).fence == 2


async def test_without_another_server_nothing_is_handed_on(world: World) -> None:
    await world.given_server("s1")
    finished = await world.end(await world.running("t1", "s1"), Verdict.NOT_SENT)
    assert (finished.candidates, finished.turn) == (None, 0)


async def test_the_freed_slot_goes_to_the_next_task(world: World) -> None:
    await world.given_server("s1", max_concurrent=1)
    grant = await world.running("t1", "s1")
    await world.given_task("t2")
    await world.given_task("t3")
    finished = await world.end(grant, done(), want_next="n_next", lease_ms=7_000)
    assert finished.grant is not None
    assert (finished.grant.task_id, finished.grant.server_id, finished.grant.nonce) == ("t2", "s1", "n_next")
    assert await world.state("t2") is TaskState.PROCESSING
    assert await world.active("s1") == 1
    await world.later(7_000)
    assert (await world.task("t2")).losses == 1


async def test_only_a_freed_slot_is_given_on(world: World) -> None:
    await world.given_server("s1", max_concurrent=1)
    grant = await world.running("t1", "s1")
    await world.given_task("t2")
    finished = await world.end(grant, Outcome(Verdict.TIMED_OUT, slot_free=False), want_next="n")
    assert finished.grant is None
    assert await world.active("s1") == 1


async def test_a_server_in_maintenance_is_given_nothing_more(world: World) -> None:
    await world.given_server("s1", max_concurrent=1)
    grant = await world.running("t1", "s1")
    await world.given_task("t2")
    await world.store.servers.set_maintenance("s1", True, "new disk")
    assert (await world.end(grant, done(), want_next="n")).grant is None


async def test_a_slot_that_stayed_ends_with_its_lease(world: World) -> None:
    await world.given_server("s1")
    grant = await world.running("t1", "s1")
    await world.end(grant, Outcome(Verdict.LOST, slot_free=False))
    await world.later(14_999)
    assert await world.active("s1") == 1
    await world.later(1)
    assert await world.active("s1") == 0
    assert (await world.task("t1")).losses == 1  # counted once


async def test_a_task_avoids_the_server_that_failed_it_for_5_s(world: World) -> None:
    await world.given_server("s1", max_concurrent=2)
    await world.given_server("s2", max_concurrent=1)
    await world.running("t0", "s2")
    other = await world.running("t1", "s1")
    await world.end(await world.running("bad", "s1"), Verdict.FAILURE, retry_delay_ms=0)
    await world.tick()
    assert (await world.end(other, done(), want_next="n1")).grant is None
    other = await world.running("t2", "s1")
    await world.later(5_000)
    finished = await world.end(other, done(), want_next="n2")
    assert finished.grant is not None
    assert (finished.grant.task_id, finished.grant.tried) == ("bad", frozenset({"s1"}))


async def test_alone_a_server_gets_the_task_back_at_once(world: World) -> None:
    await world.given_server("s1", max_concurrent=2)
    other = await world.running("t1", "s1")
    await world.end(await world.running("bad", "s1"), Verdict.FAILURE, retry_delay_ms=0)
    await world.tick()
    assert (await world.end(other, done(), want_next="n1")).grant is not None


async def test_the_last_20_attempts_are_kept(world: World) -> None:
    await world.given_server("s1")
    await world.given_task("t1")
    for _ in range(25):
        await world.end(await world.start("t1", "s1"), Verdict.RELEASED)
    assert [a.fence for a in (await world.task("t1")).attempts] == list(range(6, 26))
