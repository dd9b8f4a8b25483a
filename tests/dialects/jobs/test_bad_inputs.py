"""What is refused, in the document's error form, whatever is wrong."""

from typing import Any

import pytest

from dispatcher.domain.errors import Unavailable
from tests.dialects.jobs.world import EXECUTOR, JOB, World

NOBODY = "00000000-0000-4000-8000-000000000000"
WRONG: list[tuple[str, Any]] = [
    *[("type", value) for value in ("", "a b", "a\tb", "x" * 129, 1, ["x"])],
    *[("binary_url", value) for value in ("", "example.com", "ftp://x/y", "http://", "https://[x", "http://a:x/", 1)],
    *[("binary_sha256", value) for value in ("abc123...", "g" * 64, "a" * 63, "a" * 65, "a" * 64 + "\n", 1)],
    *[("priority", value) for value in ("high", "Foreground", "", 1)],
    *[("arguments", value) for value in ("a", {"a": "b"}, 1)],
    *[("arguments.0", value) for value in ([1], [None], [["a"]], ["a\0b"])],
    *[("env_variables", value) for value in ("a", ["A=b"], 1)],
    *[("env_variables.A", {"A": value}) for value in (1, None, "a\0b")],
]


def _is_error(answer: Any, status: int, code: str | None = None) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    assert body.keys() == {"error", "context", "code", "requestId"}
    assert isinstance(body["error"], str)
    assert body["error"]
    assert isinstance(body["context"], dict)
    assert code in (None, body["code"])
    return body


@pytest.mark.parametrize(("field", "value"), WRONG)
async def test_a_job_with_a_wrong_member(world: World, field: str, value: Any) -> None:
    answer = await world.call("POST", "/jobs", body={**JOB, field.split(".")[0]: value})
    assert _is_error(answer, 400, "INVALID_REQUEST")["context"]["field"] == field
    many = await world.call("POST", "/jobs/bulk", body=[JOB, {**JOB, field.split(".")[0]: value}])
    assert _is_error(many, 400)["context"] == {"field": field, "index": 1}


@pytest.mark.parametrize("name", ["1A", "A-B", "", "A B", "ä"])
async def test_a_job_with_a_wrong_variable(world: World, name: str) -> None:
    _is_error(await world.call("POST", "/jobs", body={**JOB, "env_variables": {name: "x"}}), 400, "INVALID_REQUEST")


@pytest.mark.parametrize("field", list(JOB))
async def test_a_job_without_a_member(world: World, field: str) -> None:
    for body in ({k: v for k, v in JOB.items() if k != field}, {**JOB, field: None}):
        found = _is_error(await world.call("POST", "/jobs", body=body), 400)
        assert (found["error"], found["context"]) == (f"Missing required field: {field}", {"field": field})


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"nul", b'{"a":1}x', b'{"a":1,"a":2}', b"\xff", b'{"a":NaN}'])
async def test_no_json_object(world: World, raw: bytes) -> None:
    for method, path, caller in [
        ("POST", "/jobs", "a"),
        ("POST", "/jobs/bulk/cancel", "a"),
        ("POST", "/jobs/claim", "worker"),
        ("PUT", f"/jobs/{NOBODY}/heartbeat", "worker"),
        ("PUT", f"/jobs/{NOBODY}/complete", "worker"),
        ("PUT", f"/jobs/{NOBODY}/fail", "worker"),
    ]:
        _is_error(await world.call(method, path, caller, raw=raw), 400, "INVALID_REQUEST")


@pytest.mark.parametrize("raw", [b"", b"[", b"{}", b"[]", b"[1]", b"[null]", b"[]]", b'["\\ud800"]', b"[[[" * 20])
async def test_no_array_of_jobs(world: World, raw: bytes) -> None:
    _is_error(await world.call("POST", "/jobs/bulk", raw=raw), 400, "INVALID_REQUEST")


async def test_too_many_at_once(world: World) -> None:
    _is_error(await world.call("POST", "/jobs/bulk", body=[JOB] * 1001), 400)
    _is_error(await world.call("POST", "/jobs/bulk/cancel", body={"job_ids": ["x"] * 1001}), 400)
    _is_error(await world.call("POST", "/jobs/bulk/cancel", body={"job_ids": []}), 400)
    _is_error(await world.call("POST", "/jobs/bulk/cancel", body={"job_ids": [1]}), 400)


@pytest.mark.parametrize(
    "query",
    ["status=done", "status=", "priority=high", "limit=0", "limit=-1", "limit=x", "limit=1.5", "offset=-1", "offset=x",
     "type=", "type=a%20b", "limit=1&limit=2"],
)  # fmt: skip
async def test_a_wrong_query(world: World, query: str) -> None:
    found = _is_error(await world.call("GET", f"/jobs?{query}"), 400)
    assert found["context"] == {"field": query.split("=")[0]}


@pytest.mark.parametrize("job_id", [NOBODY, "nonsense", "550e8400", "x" * 300, "..", "%00"])
async def test_no_such_job(world: World, job_id: str) -> None:
    for method, path, caller in [
        ("GET", "", "a"),
        ("DELETE", "", "a"),
        ("PUT", "/heartbeat", "worker"),
        ("PUT", "/complete", "worker"),
        ("PUT", "/fail", "worker"),
    ]:
        body = {"executor_id": EXECUTOR} if method == "PUT" else None
        _is_error(await world.call(method, f"/jobs/{job_id}{path}", caller, body), 404, "NOT_FOUND")


@pytest.mark.parametrize("body", [{}, {"executor_id": ""}, {"executor_id": "a b"}, {"executor_id": 1}])
async def test_who_is_no_executor(world: World, body: dict[str, Any]) -> None:
    for method, path in [
        ("POST", "claim"),
        *[("PUT", f"{NOBODY}/{verb}") for verb in ("heartbeat", "complete", "fail")],
    ]:
        found = _is_error(await world.call(method, f"/jobs/{path}", "worker", body), 400)
        assert found["context"] == {"field": "executor_id"}


@pytest.mark.parametrize(
    "more", [{"stdout": 1}, {"stderr": ["x"]}, {"exit_code": "0"}, {"exit_code": 2**32}, {"attempt": 0}]
)
async def test_a_wrong_report(world: World, more: dict[str, Any]) -> None:
    job_id = await world.submit()
    await world.claim()
    for verb in ("complete", "fail"):
        assert _is_error(await world.tell(verb, job_id, **more), 400)["context"] == {"field": next(iter(more))}
    assert (await world.job(job_id))["status"] == "running"


async def test_a_wrong_wait(world: World) -> None:
    _is_error(await world.call("POST", "/jobs/claim?wait=x", "worker", {"executor_id": EXECUTOR}), 400)


async def test_other_errors_have_the_same_form(world: World) -> None:
    _is_error(await world.call("GET", "/nowhere"), 404, "NOT_FOUND")
    wrong = await world.call("PATCH", "/jobs")
    _is_error(wrong, 405, "METHOD_NOT_ALLOWED")
    assert wrong.headers["Allow"] == "GET, HEAD, POST"
    _is_error(await world.call("POST", "/jobs", raw=b"{}", headers={"Content-Type": "text/plain"}), 415)
    _is_error(await world.call("GET", "/jobs", None), 401, "UNAUTHORIZED")
    _is_error(await world.call("POST", "/jobs", "worker", JOB), 403, "FORBIDDEN")


async def test_a_key_is_for_single_submits(world: World) -> None:
    refused = await world.call("POST", "/jobs/bulk", body=[JOB], headers={"Idempotency-Key": "k"})
    assert _is_error(refused, 400, "INVALID_REQUEST")["context"]["field"] == "Idempotency-Key"
    assert (await world.call("GET", "/jobs")).json() == []


async def test_faults_of_ours_tell_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("secret")

    monkeypatch.setattr(world.store.tasks, "find", broken)
    assert "secret" not in _is_error(await world.call("GET", "/jobs"), 500, "INTERNAL_ERROR")["error"]


async def test_health_tells_when_the_store_is_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away() -> None:
        raise Unavailable("away")

    monkeypatch.setattr(world.store.coordination, "ping", away)
    answer = await world.call("GET", "/health", None)
    assert (answer.status_code, answer.json()) == (503, {"status": "unhealthy", "database": "disconnected"})
    assert answer.headers["Retry-After"] == "1"
