"""The flows of logs, as pure generators."""

import json
from typing import Any

import pytest

from dispatcher_sdk.errors import ConnectionFailed, InvalidAnswer, NotFound, ServerError, StatusError, Unauthorized
from dispatcher_sdk.flows import task_logs
from dispatcher_sdk.flows.steps import Response
from tests.sdk.script import answer, followed, options, pauses, play, requests

OPENED = Response(200, {"content-type": "text/event-stream"})
BROKE = ConnectionFailed("broke", sent=True)
END = b'event: end\ndata: {"status":"COMPLETED"}\n\n'


def line(seq: int) -> dict[str, Any]:
    return {"seq": seq, "at": 1, "attempt": 1, "stream": "stdout", "text": f"line {seq}"}


def said(*numbers: int) -> bytes:
    return b"".join(f"id: {n}\ndata: {json.dumps(line(n))}\n\n".encode() for n in numbers)


def failure(code: str) -> bytes:
    return b"event: failure\ndata: " + json.dumps({"error": "no", "code": code}).encode() + b"\n\n"


def test_a_page_of_a_log() -> None:
    page, steps = play(
        task_logs.read(options(), "task_1", after=3, limit=2),
        answer(200, {"taskId": "task_1", "lines": [line(4)], "after": 4, "ended": True}),
    )
    (request,) = requests(steps)
    assert (request.url, request.query) == ("/api/task/task_1/logs", {"after": "3", "limit": "2"})
    assert ([one.text for one in page.lines], page.after, page.ended) == (["line 4"], 4, True)


def test_lines_come_whole_however_they_are_cut() -> None:
    text = b":\n\n" + said(1, 2) + b":\r\n\r\n" + END
    found, steps = followed(task_logs.follow(options(), "task_1"), OPENED, *(bytes([one]) for one in text))
    assert [one.seq for one in found] == [1, 2]
    (request,) = requests(steps)
    assert (request.url, request.query) == ("/api/task/task_1/logs/stream", {"after": "0"})
    assert request.headers["Authorization"] == "Bearer secret"
    assert request.timeout > 30, "a silent stream is no dead one"


@pytest.mark.parametrize("broken", [BROKE, b"", failure("UNAVAILABLE"), failure("TOO_SLOW")])
def test_it_goes_on_where_it_broke(broken: Any) -> None:
    found, steps = followed(
        task_logs.follow(options(), "task_1", after=2), OPENED, said(3, 4), broken, answer(503, retry_after="3"),
        OPENED, said(5), broken, OPENED, END,
    )  # fmt: skip
    assert [one.seq for one in found] == [3, 4, 5]
    assert [request.query["after"] for request in requests(steps)] == ["2", "4", "4", "5"]
    assert pauses(steps) == [0.25, 3.5, 0.25], "a line begins the count anew"


def test_it_gives_up_after_so_many_failures_without_a_line() -> None:
    with pytest.raises(ConnectionFailed, match="broke"):
        followed(task_logs.follow(options(), "task_1"), OPENED, said(1), BROKE, BROKE, BROKE)
    with pytest.raises(ServerError):
        followed(task_logs.follow(options(max_retries=0), "task_1"), answer(503))


@pytest.mark.parametrize(
    ("came", "error"),
    [
        ((answer(404),), NotFound),
        ((OPENED, failure("NOT_FOUND")), NotFound),
        ((OPENED, failure("UNAUTHORIZED")), Unauthorized),
        ((OPENED, failure("INTERNAL_ERROR")), ServerError),
        ((OPENED, b"event: failure\ndata: []\n\n"), StatusError),
        ((OPENED, b"data: {\n\n"), InvalidAnswer),
        ((OPENED, b"data: {}\n\n"), InvalidAnswer),
        ((Response(200, {"content-type": "text/html"}),), InvalidAnswer),
    ],
)
def test_what_no_other_try_would_mend(came: tuple[Any, ...], error: type[Exception]) -> None:
    with pytest.raises(error):
        followed(task_logs.follow(options(), "task_1"), *came)
