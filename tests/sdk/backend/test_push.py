"""The predict protocol, request by request."""

import json
from typing import Any

import pytest

from dispatcher_sdk import Context, InvalidInput
from dispatcher_sdk.backend.calls import Calls
from dispatcher_sdk.backend.http_server import HttpRequest, HttpResponse
from dispatcher_sdk.backend.push import Push
from tests.sdk.backend.test_calls import Gate, calls, gated

KEY = "the-key"
seen: list[Context] = []


def function(payload: Any, ctx: Context) -> Any:
    seen.append(ctx)
    if payload == "bad":
        raise InvalidInput("bad payload")
    if payload == "broken":
        raise OSError("disk")
    return {"got": payload}


def push(pool: Calls | None = None, **options: Any) -> Push:
    return Push(pool or calls(function), KEY, lambda: {"cpu": 12.5}, now_ms=lambda: 1_000, **options)


async def post(
    server: Push, path: str, body: Any, headers: dict[str, str] | None = None, key: str | None = KEY
) -> HttpResponse:
    sent = dict(headers or {}) if key is None else {"authorization": f"Bearer {key}", **(headers or {})}
    return await server.handle(
        HttpRequest("POST", path, sent, body if isinstance(body, bytes) else json.dumps(body).encode())
    )


def job(payload: Any = 1, **fields: Any) -> dict[str, Any]:
    return {
        "taskId": "task_1",
        "type": "t",
        "priority": 5,
        "payload": payload,
        "capabilities": [],
        "attempt": 1,
        **fields,
    }


async def test_a_result_is_the_body_as_it_is() -> None:
    answer = await post(push(), "/predict", job({"a": "ü"}))
    assert (answer.status, answer.body.decode()) == (200, '{"got":{"a":"ü"}}')


async def test_the_call_knows_attempt_deadline_and_trace() -> None:
    headers = {"x-deadline-ms": "5000", "traceparent": "00-a-b-01"}
    await post(push(), "/predict", job(attempt=3), headers)
    assert (seen[-1].attempt, seen[-1].deadline, seen[-1].traceparent) == (3, 6_000, "00-a-b-01")


@pytest.mark.parametrize(
    ("payload", "status", "error"), [("bad", 422, "bad payload"), ("broken", 500, "OSError: disk")]
)
async def test_failures(payload: str, status: int, error: str) -> None:
    answer = await post(push(), "/predict", job(payload))
    assert (answer.status, json.loads(answer.body)) == (status, {"error": error})


async def test_an_unknown_type_is_422() -> None:
    assert (await post(push(), "/predict", job(type="other"))).status == 422


async def test_busy_is_503_with_retry_after() -> None:
    gate, waiting = gated()
    pool = calls(waiting, max_concurrent=1)
    server = push(pool, accept_only=True)
    assert (await post(server, "/predict", job())).status == 202
    answer = await post(server, "/predict", job(taskId="task_2"))
    assert (answer.status, answer.headers) == (503, {"Retry-After": "1"})
    gate.release.set()
    await pool.drain(10.0)


@pytest.mark.parametrize("path", ["/predict", "/cancel"])
@pytest.mark.parametrize("key", [None, "", "the-keY", "the-key ", "ü"])
async def test_only_the_key_opens(path: str, key: str | None) -> None:
    before = len(seen)
    answer = await post(push(), path, job(), key=key)
    assert (answer.status, answer.headers) == (401, {"WWW-Authenticate": "Bearer"})
    assert len(seen) == before


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b"{",
        b"[" * 200_000,
        b'{"taskId":"t","type":"t","payload":NaN}',
        {"taskId": 1, "type": "t"},
        {"taskId": "", "type": "t"},
        {"taskId": "t"},
        {"taskId": "t", "type": "t", "attempt": "1"},
    ],
)
async def test_what_is_no_job_is_400(body: Any) -> None:
    assert (await post(push(), "/predict", body)).status == 400


async def test_a_deadline_that_is_no_number_is_400() -> None:
    assert (await post(push(), "/predict", job(), {"x-deadline-ms": "soon"})).status == 400


async def test_the_idempotency_key_names_the_work() -> None:
    server = push()
    first = await post(server, "/predict", job(1), {"idempotency-key": "k"})
    again = await post(server, "/predict", job(2, attempt=2), {"idempotency-key": "k"})
    assert again.body == first.body
    assert (await post(server, "/predict", job(2), {"idempotency-key": "other"})).body != first.body


async def test_a_remembered_result_is_answered_at_once_in_accept_mode_too() -> None:
    pool = calls(function, report_ends=True)
    server = push(pool, accept_only=True)
    assert (await post(server, "/predict", job())).status == 202
    await pool.drain(10.0)
    assert (await post(server, "/predict", job(attempt=2))).body == b'{"got":1}'


async def test_cancel() -> None:
    gate, waiting = gated()
    pool = calls(waiting)
    server = push(pool, accept_only=True, cancel_grace=5.0)
    await post(server, "/predict", job())
    await gate.entered.wait()
    assert (await post(server, "/cancel", {"taskId": "task_1", "attempt": 1})).status == 200
    assert pool.active == 0
    assert (await post(server, "/cancel", {"taskId": "task_9"})).status == 200
    assert (await post(server, "/cancel", {"attempt": 1})).status == 400
    assert (await post(server, "/cancel", b"nonsense")).status == 400


async def test_a_call_that_goes_on_is_not_said_to_have_stopped() -> None:
    gate = Gate()

    async def stubborn(payload: Any, ctx: Context) -> Any:
        while not gate.release.is_set():
            try:
                await gate(payload, ctx)
            except BaseException:  # noqa: S112 - that is the point of it
                continue

    pool = calls(stubborn)
    server = push(pool, accept_only=True, cancel_grace=0.0)
    await post(server, "/predict", job())
    await gate.entered.wait()
    answer = await post(server, "/cancel", {"taskId": "task_1", "attempt": 1})
    assert answer.status == 409
    gate.release.set()
    await pool.drain(10.0)


async def test_health_and_metrics_are_open_and_tell_nothing_about_tasks() -> None:
    gate, waiting = gated()
    pool = calls(waiting)
    server = push(pool, accept_only=True)
    await post(server, "/predict", job(taskId="task_confidential"))
    health = await server.handle(HttpRequest("GET", "/health", {}, b""))
    metrics = await server.handle(HttpRequest("GET", "/metrics", {}, b""))
    assert health.status == 200
    assert json.loads(metrics.body) == {"activeTasks": 1, "cpu": 12.5}
    gate.release.set()
    await pool.drain(10.0)


async def test_other_paths_and_methods() -> None:
    server = push()
    assert (await server.handle(HttpRequest("GET", "/", {}, b""))).status == 404
    refused = await server.handle(HttpRequest("GET", "/predict", {"authorization": f"Bearer {KEY}"}, b""))
    assert (refused.status, refused.headers) == (405, {"Allow": "POST"})
