"""The translations alone."""

import json
from dataclasses import replace

import pytest

from dispatcher.dialects.native.options import DAY_MS, NativeOptions
from dispatcher.dialects.native.requests import CreateTask
from dispatcher.dialects.native.validation import validate
from dispatcher.dialects.native.wire_logs import line_answer
from dispatcher.dialects.native.wire_reports import report
from dispatcher.dialects.native.wire_tasks import as_of, new_task, status_word, task_answer, task_json
from dispatcher.domain.errors import Invalid
from dispatcher.domain.event import TaskUpdate
from dispatcher.domain.failure import Verdict
from dispatcher.domain.log import LogLine, LogStream
from dispatcher.domain.principal import Owner
from dispatcher.domain.task import NewTask, Task, TaskError
from dispatcher.domain.transitions import TaskState
from dispatcher.web.answer import encode_json
from dispatcher.web.jsonbody import parse_object

OWNER = Owner("acme", "a")
BODY = {"type": "t", "priority": 3, "payload": {}}
TASK = Task(
    "task_1", "native", OWNER, "t", "lane", 30, TaskState.COMPLETED, 1000, 9000, 7, spec=b'{"capabilities":["c"]}'
)


def _new(trace: str | None = None, **more: object) -> NewTask:
    options = NativeOptions(aging_ms=1000, timeout_ms=5000, tenant_weights={"acme": 4})
    return new_task(validate(CreateTask, {**BODY, **more}), b"{ }", "task_1", OWNER, options, trace)


def test_a_new_task_takes_its_defaults_from_the_options() -> None:
    task = _new()
    assert (task.points, task.boost_ms, task.weight) == (30, 3000, 4)
    assert (task.timeout_ms, task.waiting_ms, task.deadline_ms) == (5000, DAY_MS, None)
    assert (task.payload, task.origin, task.demand.group) == (b"{ }", "native", None)
    assert json.loads(task.spec) == {"priority": 3, "capabilities": []}


def test_a_new_task_says_otherwise() -> None:
    task = _new("00-x", capabilities=["b", "a"], group="g", affinity="k", timeout=0.25, deadline=9, runAt=8)
    assert (task.timeout_ms, task.deadline_ms, task.run_at_ms, task.waiting_ms) == (250, 9, 8, None)
    assert (task.demand.capabilities, task.demand.group) == (frozenset("ab"), "g")
    assert json.loads(task.spec) == {
        "priority": 3, "capabilities": ["b", "a"], "group": "g", "affinity": "k", "traceparent": "00-x",
    }  # fmt: skip


@pytest.mark.parametrize("state", TaskState)
def test_every_state_has_a_documented_word(state: TaskState) -> None:
    assert status_word(state) in ("PENDING", "PROCESSING", "COMPLETED", "FAILED", "TIMEOUT", "CANCELLED")


def test_a_paused_task_is_processing_while_its_attempt_lives() -> None:
    assert (status_word(TaskState.PAUSED, True), status_word(TaskState.PAUSED, False)) == ("PROCESSING", "PENDING")


def test_an_earlier_update_of_a_paused_task_tells_whether_its_attempt_lived() -> None:
    for lived, word in ((True, "PROCESSING"), (False, "PENDING")):
        early = TaskUpdate("task_1", 5, TaskState.PAUSED, 40.5, "s1", 1, 8000, lived)
        shown = task_answer(as_of(TASK, early))
        assert (shown["status"], shown["state"]) == (word, "PAUSED")


def test_an_earlier_update_shows_nothing_of_what_came_later() -> None:
    task = replace(TASK, result=b"1", error=TaskError("X", "y"), ended_ms=9000, progress=100.0, server_id="s2", fence=2)
    early = TaskUpdate("task_1", 6, TaskState.PROCESSING, 40.5, "s1", 1, 8000)
    shown = json.loads(task_json(as_of(task, early)))
    assert (shown["status"], shown["progress"], shown["serverId"], shown["updatedAt"]) == (
        "PROCESSING",
        40.5,
        "s1",
        8000,
    )
    assert not {"result", "error", "completedAt"} & shown.keys()
    last = TaskUpdate("task_1", 7, TaskState.COMPLETED, 100.0, "s2", 2, 9000)
    assert as_of(task, last) is task


def test_the_result_is_spliced_in_as_it_came() -> None:
    assert task_json(replace(TASK, result=b'{"a": 1.0}'), message="m").endswith(b',"result":{"a": 1.0}}')
    assert "result" not in json.loads(task_json(TASK))
    assert task_json(TASK, message="m").startswith(b'{"message":"m","id":"task_1"')


def test_an_error_without_a_text_shows_its_code() -> None:
    answer = task_answer(replace(TASK, error=TaskError("POISON", "")))
    assert (answer["error"], answer["errorCode"]) == ("POISON", "POISON")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        ("boom", "boom"),
        ({"message": "boom", "x": 1}, "boom"),
        ({"x": 1}, '{"x":1}'),
        (None, "The server reported a failure"),
        ("x" * 3000, "x" * 2000),
    ],
)
def test_what_a_failure_report_says(error: object, text: str) -> None:
    said = report(parse_object(encode_json({"status": "FAILED", "error": error, "attempt": 2})), None)
    assert said.outcome is not None
    assert (said.outcome.verdict, said.outcome.text, said.attempt) == (Verdict.FAILED, text, 2)


def test_what_other_reports_say() -> None:
    done = report(parse_object(b'{"status":"COMPLETED","result":{"a": 1.0},"progress":100}'), 3)
    assert done.outcome is not None
    assert (done.outcome.result, done.outcome.verdict, done.attempt) == (b'{"a": 1.0}', Verdict.COMPLETED, 3)
    bare = report(parse_object(b'{"status":"COMPLETED"}'), None)
    assert bare.outcome is not None
    assert bare.outcome.result == b"null"
    alive = report(parse_object(b'{"status":"PROCESSING"}'), None)
    assert (alive.outcome, alive.progress) == (None, 0.0)
    again = report(parse_object(b'{"status":"FAILED","retryable":true}'), None)
    assert again.outcome is not None
    assert again.outcome.verdict is Verdict.FAILURE


def test_equal_results_have_equal_digests_however_they_are_spelled() -> None:
    one = report(parse_object(b'{"status":"COMPLETED","result":{"a":1,"b":2}}'), None).outcome
    two = report(parse_object(b'{"status":"COMPLETED","result":{ "b": 2, "a": 1 }}'), None).outcome
    assert one is not None
    assert two is not None
    assert one.digest == two.digest


def test_the_exact_text_for_an_illegal_report() -> None:
    with pytest.raises(Invalid, match=r"^Invalid status transition$"):
        report(parse_object(b'{"status":"CANCELLED"}'), None)


def test_text_that_utf8_cannot_hold_is_escaped() -> None:
    assert encode_json({"a": "\ud800é"}) == b'{"a":"\\ud800\\u00e9"}'
    with pytest.raises(ValueError, match="JSON"):
        encode_json(float("nan"))


def test_only_a_line_of_a_gang_names_its_rank() -> None:
    line = LogLine(1, 7, 2, LogStream.STDOUT, "a")
    assert line_answer(replace(line, partial=True)) == {**line_answer(line), "partial": True}
    assert line_answer(line) == {"seq": 1, "at": 7, "attempt": 2, "stream": "stdout", "text": "a"}
    assert line_answer(replace(line, rank=0))["rank"] == 0
