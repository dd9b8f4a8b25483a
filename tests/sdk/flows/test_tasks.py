"""The flows of tasks, as pure generators."""

import pytest

from dispatcher_sdk.errors import (
    ConnectionFailed,
    InvalidAnswer,
    RequestTimeout,
    TaskCancelled,
    TaskError,
    TaskFailed,
    TaskTimeout,
)
from dispatcher_sdk.flows import tasks
from dispatcher_sdk.flows.steps import Request, Response
from dispatcher_sdk.models import Task
from tests.sdk.script import Clock, answer, body, options, pauses, play, requests

PENDING = {"id": "task_1", "status": "PENDING", "createdAt": 1, "updatedAt": 1}
RUNNING = {**PENDING, "status": "PROCESSING", "progress": 45}
DONE = {**PENDING, "status": "COMPLETED", "result": {"n": 7}}


def test_submit_sends_what_was_given_and_nothing_else() -> None:
    flow = tasks.submit(options(), "video", {"a": 1}, priority=9, capabilities=["gpu"], group="eu", run_at=5)
    task, steps = play(flow, answer(200, PENDING))
    (request,) = requests(steps)
    assert task.status == "PENDING"
    assert (request.method, request.url) == ("POST", "/api/task")
    assert body(request) == {
        "type": "video",
        "payload": {"a": 1},
        "priority": 9,
        "capabilities": ["gpu"],
        "async": True,
        "group": "eu",
        "runAt": 5,
    }


def test_every_submit_has_an_idempotency_key_and_keeps_it_over_retries() -> None:
    _, steps = play(
        tasks.submit(options(), "video", {}), ConnectionFailed("broke", sent=True), answer(503), answer(200, PENDING)
    )
    assert [request.headers["Idempotency-Key"] for request in requests(steps)] == ["key-1"] * 3
    _, steps = play(tasks.submit(options(), "video", {}, idempotency_key="mine"), answer(200, PENDING))
    assert requests(steps)[0].headers["Idempotency-Key"] == "mine"


def test_run_submits_waits_and_returns_the_result() -> None:
    result, steps = play(tasks.run(options(), "video", {}), answer(200, PENDING), answer(200, DONE))
    assert result == {"n": 7}
    assert [(request.method, request.url) for request in requests(steps)] == [
        ("POST", "/api/task"),
        ("GET", "/api/task/task_1"),
    ]


@pytest.mark.parametrize(
    ("status", "kind"), [("FAILED", TaskFailed), ("TIMEOUT", TaskTimeout), ("CANCELLED", TaskCancelled)]
)
def test_run_raises_with_the_task_when_there_is_no_result(status: str, kind: type[TaskError]) -> None:
    ended = {**PENDING, "status": status, "error": "out of memory"}
    with pytest.raises(kind) as caught:
        play(tasks.run(options(), "video", {}), answer(200, PENDING), answer(200, ended))
    assert caught.value.task.id == "task_1"
    assert str(caught.value) == f"task task_1 ended as {status}: out of memory"


def test_wait_asks_a_gateway_that_holds_back_again_at_once() -> None:
    clock = Clock()

    def held(request: Request) -> Response:
        clock.now += 20
        return answer(200, RUNNING)

    task, steps = play(tasks.wait(options(clock), "task_1"), held, held, answer(200, DONE), clock=clock)
    assert task.result == {"n": 7}
    assert pauses(steps) == []
    assert all(request.headers["Prefer"] == "wait=20" and request.timeout == 50.0 for request in requests(steps))


def test_wait_polls_a_gateway_that_answers_at_once_with_growing_pauses() -> None:
    answers = [answer(200, RUNNING)] * 7
    _, steps = play(tasks.wait(options(), "task_1"), *answers, answer(200, DONE))
    assert pauses(steps) == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0]


def test_wait_gives_up_at_its_time_limit_and_not_before() -> None:
    clock = Clock()
    answers = [answer(200, RUNNING)] * 6
    with pytest.raises(RequestTimeout, match="still PROCESSING after 1 s"):
        play(tasks.wait(options(clock), "task_1", timeout=1.0), *answers, clock=clock)
    assert clock.now == pytest.approx(1001.0)


def test_wait_never_asks_for_longer_than_it_may_take() -> None:
    clock = Clock()
    _, steps = play(
        tasks.wait(options(clock), "task_1", timeout=3.5), answer(200, RUNNING), answer(200, DONE), clock=clock
    )
    assert [request.headers["Prefer"] for request in requests(steps)] == ["wait=3", "wait=3"]
    _, steps = play(tasks.wait(options(), "task_1", timeout=0.0), answer(200, DONE))
    assert "Prefer" not in requests(steps)[0].headers


def test_a_listing_fetches_page_after_page() -> None:
    listing = tasks.list_all(options(), status="PENDING", page_size=2)
    first, steps = play(
        listing.page(0), answer(200, {"tasks": [PENDING, PENDING], "total": 3, "limit": 2, "offset": 0})
    )
    assert requests(steps)[0].query == {"status": "PENDING", "limit": "2", "offset": "0"}
    assert first.next_offset == 2
    last, _ = play(listing.page(2), answer(200, {"tasks": [PENDING], "total": 3, "limit": 2, "offset": 2}))
    assert last.next_offset is None
    empty, _ = play(listing.page(2), answer(200, {"tasks": [], "total": 3, "limit": 2, "offset": 2}))
    assert empty.next_offset is None, "a shrunken listing must not be asked for ever"


def test_the_last_page_within_reach_is_cut_to_it() -> None:
    listing = tasks.list_all(options(), page_size=300)
    _, steps = play(listing.page(9_900), answer(200, {"tasks": [PENDING], "total": 20_000}))
    assert requests(steps)[0].query["limit"] == "100"
    _, steps = play(listing.page(10_000), answer(200, {"tasks": [], "total": 20_000}))
    assert requests(steps)[0].query == {"limit": "1", "offset": "10000"}, (
        "and what lies beyond is for the gateway to refuse"
    )


@pytest.mark.parametrize("wrong", [{}, {"tasks": "none"}, ["task"]])
def test_a_listing_that_is_none_is_an_invalid_answer(wrong: object) -> None:
    with pytest.raises(InvalidAnswer):
        play(tasks.list_all(options()).page(0), answer(200, wrong))


def test_the_changes_of_a_task() -> None:
    ack = answer(200, {"message": "m", "taskId": "task_1"})
    task = Task(id="task_1", status="FAILED")
    flows = [
        tasks.update(options(), task, status="COMPLETED", result={"a": 1}, attempt=2),
        tasks.retry(options(), task),
        tasks.cancel(options(), task),
        tasks.pause(options(), task, reason="night"),
        tasks.resume(options(), task),
        tasks.delete(options(), task),
    ]
    sent = [requests(play(flow, ack)[1])[0] for flow in flows]
    assert [(request.method, request.url) for request in sent] == [
        ("PUT", "/api/task/task_1"),
        ("POST", "/api/task/task_1/retry"),
        ("POST", "/api/task/task_1/cancel"),
        ("POST", "/api/task/task_1/pause"),
        ("POST", "/api/task/task_1/resume"),
        ("DELETE", "/api/task/task_1"),
    ]
    assert body(sent[0]) == {"status": "COMPLETED", "result": {"a": 1}, "attempt": 2}
    assert (body(sent[3]), body(sent[4])) == ({"reason": "night"}, {})
    assert [request.repeatable for request in sent] == [True, False, True, True, True, True]
