"""Seeing, reporting on, cancelling and deleting tasks."""

from typing import Any

import pytest

from dispatcher.domain.errors import (
    AlreadyEnded,
    Forbidden,
    IllegalState,
    Invalid,
    NoControl,
    NotFound,
    RateState,
    Unavailable,
)
from dispatcher.domain.failure import Outcome, Verdict
from dispatcher.domain.grant import Cancelled, Finished
from dispatcher.domain.metrics import MetricsPoint
from dispatcher.domain.reporter import ByHolder
from dispatcher.domain.transitions import TaskState
from dispatcher.service.ports import RateRule
from dispatcher.service.tasks import Tasks
from tests.service.fakes import ADMIN, ANN, BOB, DONE, OWNER, Gateway, a_grant, a_server, a_task

BY = ByHolder("a")


def tasks_of(gateway: Gateway) -> Tasks:
    return Tasks(
        gateway.tasks,
        gateway.servers,  # type: ignore[arg-type]
        gateway.forwarder,
        gateway.waits,
        gateway.dispatch,
        gateway="gw_1",
        clock=gateway.clock,
    )


@pytest.fixture
def gateway() -> Gateway:
    return Gateway(a_server("a"))


async def test_a_task_is_shown_to_its_owner_and_to_admins(gateway: Gateway) -> None:
    rule, state = RateRule("read", "default/ann", 100), RateState(100, 99, 5)
    gateway.tasks.script("get", (a_task(), state))
    assert await tasks_of(gateway).get(ANN, "t1", origin="native", rate=rule) == (a_task(), state)
    assert gateway.tasks.asked("get")[0]["rate"] == rule
    task, _ = await tasks_of(gateway).get(ADMIN, "t1", origin="native")
    assert task.id == "t1"


@pytest.mark.parametrize(
    ("principal", "task_id", "origin", "found"),
    [
        (BOB, "t1", "native", a_task()),
        (ANN, "t1", "cluster", a_task()),
        (ADMIN, "t1", "cluster", a_task()),
        (ANN, "t1", "native", None),
        (ANN, "t1}:x", "native", a_task()),
    ],
)
async def test_all_others_are_told_that_it_is_not_there(
    gateway: Gateway, principal: Any, task_id: str, origin: str, found: Any
) -> None:
    gateway.tasks.script("get", (found, None))
    with pytest.raises(NotFound, match=f"Task not found: {task_id}"):
        await tasks_of(gateway).get(principal, task_id, origin=origin)


async def test_waiting_asks_to_be_told_and_looks_once_more(gateway: Gateway) -> None:
    running, done = a_task(), a_task(state=TaskState.COMPLETED)

    async def watched() -> bool:
        gateway.waits.ended("t1")
        return True

    gateway.tasks.script("get", (running, None), (done, None))
    gateway.tasks.script("watch", lambda _: watched())
    task, _ = await tasks_of(gateway).get(ANN, "t1", origin="native", wait_ms=60_000)
    assert task == done
    assert len(gateway.tasks.asked("get")) == 2
    assert len(gateway.waits) == 0


async def test_an_ended_task_is_not_waited_for(gateway: Gateway) -> None:
    gateway.tasks.script("get", (a_task(state=TaskState.FAILED), None))
    await tasks_of(gateway).get(ANN, "t1", origin="native", wait_ms=60_000)
    assert gateway.tasks.asked("watch") == []


async def test_an_end_between_the_look_and_the_watch_is_not_missed(gateway: Gateway) -> None:
    done = a_task(state=TaskState.COMPLETED)
    gateway.tasks.script("get", (a_task(), None), (done, None))
    gateway.tasks.script("watch", False)
    task, _ = await tasks_of(gateway).get(ANN, "t1", origin="native", wait_ms=60_000)
    assert task == done


@pytest.mark.parametrize(
    ("principal", "everybody", "owner"), [(ANN, False, OWNER), (ADMIN, False, ADMIN.owner), (ADMIN, True, None)]
)
async def test_lists_are_the_owners_or_everybodys(
    gateway: Gateway, principal: Any, everybody: bool, owner: Any
) -> None:
    states = (TaskState.PENDING,)
    await tasks_of(gateway).find(principal, origin="native", states=states, offset=5, limit=7, everybody=everybody)
    query = gateway.tasks.asked("find")[0]["query"]
    assert (query.origin, query.owner, query.states, query.offset, query.limit) == ("native", owner, states, 5, 7)


async def test_only_admins_list_everybodys(gateway: Gateway) -> None:
    with pytest.raises(Forbidden):
        await tasks_of(gateway).find(ANN, origin="native", everybody=True)


async def test_progress_alone_ends_nothing(gateway: Gateway) -> None:
    task = await tasks_of(gateway).report("t1", origin="native", by=BY, outcome=None, progress=40)
    assert task.progress == 40
    assert gateway.ends() == []


async def test_an_end_is_recorded_and_the_slot_used(gateway: Gateway) -> None:
    gateway.tasks.script("finish", Finished(TaskState.COMPLETED, grant=a_grant("t2", "a")))
    await tasks_of(gateway).report("t1", origin="native", by=BY, outcome=DONE, progress=100)
    await gateway.settle()
    assert gateway.ends() == [("t1", Verdict.COMPLETED), ("t2", Verdict.COMPLETED)]
    assert gateway.tasks.asked("progress") == [], "a result says it all"


async def test_a_repeated_end_with_progress_is_judged_by_the_end(gateway: Gateway) -> None:
    gateway.tasks.script("progress", AlreadyEnded("ended", code="FAILED"))
    failed = Outcome(Verdict.FAILED, code="WORKER_FAILED")
    await tasks_of(gateway).report("t1", origin="native", by=BY, outcome=failed, progress=70)
    assert gateway.ends() == [("t1", Verdict.FAILED)]


async def test_a_report_on_another_dialects_task_is_refused(gateway: Gateway) -> None:
    with pytest.raises(NotFound):
        await tasks_of(gateway).report("t1", origin="farm", by=BY, outcome=DONE, progress=None)
    assert gateway.ends() == []


async def test_a_cancel_asks_the_server_to_stop_and_frees_its_slot(gateway: Gateway) -> None:
    tasks = tasks_of(gateway)
    gateway.tasks.script("cancel", Cancelled("a", 3))
    with gateway.waits.expected("t1") as ended:
        await tasks.cancel(ANN, "t1", origin="native")
        assert ended.done()
    (cancel,) = gateway.tasks.asked("cancel")
    assert cancel["owner"] == OWNER
    await tasks.close()
    assert gateway.forwarder.asked("cancel")[0]["fence"] == 3
    assert gateway.tasks.asked("free_slot") == [{"task_id": "t1", "server_id": "a", "fence": 3}]


@pytest.mark.parametrize("answer", [False, Unavailable("away")])
async def test_a_server_that_does_not_confirm_keeps_its_slot(gateway: Gateway, answer: Any) -> None:
    tasks = tasks_of(gateway)
    gateway.tasks.script("cancel", Cancelled("a", 3))
    gateway.forwarder.script("cancel", answer)
    await tasks.cancel(ADMIN, "t1", origin="native")
    assert gateway.tasks.asked("cancel")[0]["owner"] is None
    await tasks.close()
    assert gateway.tasks.asked("free_slot") == []


@pytest.mark.parametrize("cancelled", [Cancelled(), Cancelled("a", 3, already=True)])
async def test_nobody_is_asked_to_stop_what_does_not_run(gateway: Gateway, cancelled: Cancelled) -> None:
    tasks = tasks_of(gateway)
    gateway.tasks.script("cancel", cancelled)
    await tasks.cancel(ANN, "t1", origin="native")
    await tasks.close()
    assert gateway.forwarder.asked("cancel") == []


async def test_a_cancel_that_meets_the_end_is_refused(gateway: Gateway) -> None:
    gateway.tasks.script("cancel", IllegalState("ended"))
    with pytest.raises(IllegalState):
        await tasks_of(gateway).cancel(ANN, "t1", origin="native")


async def test_a_call_goes_on_when_its_task_is_cancelled_and_its_end_frees_the_slot(gateway: Gateway) -> None:
    """Cancel against completion: the cancel won, so the answer is refused, and nothing else happens."""
    tasks = tasks_of(gateway)
    gateway.tasks.script("finish", AlreadyEnded("cancelled", code="CANCELLED"))
    gateway.start()
    await tasks.cancel(ANN, "t1", origin="native")
    await gateway.settle()
    assert gateway.ends() == [("t1", Verdict.COMPLETED)]
    assert gateway.forwarder.aborted == 0


async def test_deleting_is_for_owners_and_admins(gateway: Gateway) -> None:
    for principal, owner in ((ANN, OWNER), (ADMIN, None)):
        await tasks_of(gateway).delete(principal, "t1", origin="native")
        assert gateway.tasks.asked("delete")[-1]["owner"] == owner
    with pytest.raises(NotFound):
        await tasks_of(gateway).delete(ANN, "../t1", origin="native")


@pytest.mark.parametrize("verb", ["pause", "resume"])
async def test_owners_and_admins_hold_a_task_back_and_let_it_go(gateway: Gateway, verb: str) -> None:
    act = getattr(tasks_of(gateway), verb)
    for principal, owner in ((ANN, OWNER), (ADMIN, None)):
        await act(principal, "t1", origin="native", reason="why")
        assert gateway.tasks.asked(verb)[-1] == {
            "task_id": "t1", "origin": "native", "owner": owner, "reason": "why"
        }  # fmt: skip
    with pytest.raises(NotFound):
        await act(ANN, "../t1", origin="native")
    with pytest.raises(Invalid, match="reason"):
        await act(ANN, "t1", origin="native", reason="x" * 1_001)
    assert len(gateway.tasks.asked(verb)) == 2


async def test_a_worker_that_cannot_be_told_is_said_so(gateway: Gateway) -> None:
    gateway.tasks.script("pause", NoControl("no"))
    with pytest.raises(NoControl):
        await tasks_of(gateway).pause(ANN, "t1", origin="native")


async def test_metrics_without_progress_keep_the_percentage(gateway: Gateway) -> None:
    gateway.tasks.script("get", (a_task(progress=30.0), None))
    await tasks_of(gateway).report(
        "t1", origin="native", by=BY, outcome=None, progress=None, lease_ms=9, metrics=b"{}", checkpoint="c"
    )
    (said,) = gateway.tasks.asked("progress")
    assert said == {"task_id": "t1", "percent": 30.0, "lease_ms": 9, "metrics": b"{}", "checkpoint": "c"}


async def test_metrics_that_come_with_the_result_are_kept(gateway: Gateway) -> None:
    await tasks_of(gateway).report("t1", origin="native", by=BY, outcome=DONE, progress=100, metrics=b'{"n":1}')
    assert [said["metrics"] for said in gateway.tasks.asked("progress")] == [b'{"n":1}']
    assert gateway.ends() == [("t1", Verdict.COMPLETED)]


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [("metrics", b"x" * 16_384, b"x" * 16_385), ("checkpoint", "\u00e4" * 4_096, "x" * 4_097)],
)
async def test_reports_are_bounded(gateway: Gateway, field: str, good: Any, bad: Any) -> None:
    tasks = tasks_of(gateway)
    await tasks.report("t1", origin="native", by=BY, outcome=None, progress=1, **{field: good})
    with pytest.raises(Invalid) as error:
        await tasks.report("t1", origin="native", by=BY, outcome=DONE, progress=1, **{field: bad})
    assert error.value.field == field
    assert len(gateway.tasks.asked("progress")) == 1
    assert gateway.ends() == []


async def test_the_history_is_for_who_may_see_the_task(gateway: Gateway) -> None:
    points = [MetricsPoint(1, 0, 5.0, b"{}")]
    gateway.tasks.script("history", points)
    assert await tasks_of(gateway).history(ANN, "t1", origin="native", limit=256) == points
    assert gateway.tasks.asked("history") == [{"task_id": "t1", "limit": 256}]
    with pytest.raises(NotFound):
        await tasks_of(gateway).history(BOB, "t1", origin="native")
    for limit in (0, 257):
        with pytest.raises(Invalid):
            await tasks_of(gateway).history(ANN, "t1", origin="native", limit=limit)
    assert len(gateway.tasks.asked("history")) == 1
