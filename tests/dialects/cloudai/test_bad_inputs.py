"""What is refused, in the document's error form, whatever is wrong."""

from typing import Any

import pytest

from dispatcher.dialects.cloudai.workers import core_id
from tests.dialects.cloudai.world import ADDRESS, NOBODY, TASK, WORKER, World

_NUMBERS = ("1,5", "0x1", "nan", "NaN", "Infinity", "inf", "1e1", "-1", -1, -0.5, True, [1], {}, "1 2", "٣", 1e300)
WRONG: list[tuple[str, Any]] = [
    *[("docker_image", value) for value in ("", " ", "a b", "-v", "a\n", "x" * 513, "http://[x", 1, ["x"], "ä")],
    *[("command", value) for value in ("'open", 'a "b', "a\\", "a\0b", "x" * 32_769, 1, ["ls"])],
    *[(name, value) for name in ("cpu_required", "memory_required") for value in (*_NUMBERS, 0, "0", "0.0")],
    *[(name, value) for name in ("storage_required", "gpu_required") for value in _NUMBERS],
    *[("k_value", value) for value in (*_NUMBERS, 1.49, 2.51, "1.4", 0, "2.500001")],
    *[("tag", value) for value in ("x", "Web-Server", " ", 1, ["batch-job"])],
    *[("user_id", value) for value in ("x" * 129, "a\nb", 1, ["a"])],
]
WRONG_WORKER: list[tuple[str, Any]] = [
    *[("worker_id", value) for value in ("", "a b", "a/b", "x" * 129, "a\0", 1, ["x"], ".", "..", "a\\b", "a%2Fb",
       "a?b", "a#b", "a\x7f", f"server_{'a' * 26}", f"client_{'0' * 32}", core_id("default", WORKER))],
    *[("worker_ip", value) for value in
      ("", "a:0", "a:65536", "a:b", ":1", "a b:1", "::1:1", "[::g]:1", "http://a:1", "a:1:2", "u@a:1", 1)],
    *[("worker_port", value) for value in ("1", 1.5, 0, 2)],
]  # fmt: skip


def _is_error(answer: Any, status: int, code: str | None = None) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    assert body.keys() == {"error", "code", "requestId"}
    assert isinstance(body["error"], str)
    assert body["error"]
    assert code in (None, body["code"])
    return body


async def test_a_task_with_a_wrong_member(world: World) -> None:
    for field, value in WRONG:
        answer = await world.call("POST", "/tasks", body={**TASK, field: value})
        assert field in _is_error(answer, 400, "INVALID_REQUEST")["error"], (field, value)
    assert (await world.read("/tasks"))["tasks"] == []


async def test_a_task_without_a_member(world: World) -> None:
    for field in TASK:
        for body in ({k: v for k, v in TASK.items() if k != field}, {**TASK, field: None}):
            found = _is_error(await world.call("POST", "/tasks", body=body), 400)
            assert found["error"] == f"Missing required field: {field}"
    for blank in ("cpu_required", "memory_required"):
        found = _is_error(await world.call("POST", "/tasks", body={**TASK, blank: " "}), 400)
        assert found["error"] == f"Missing required field: {blank}"


async def test_a_worker_with_a_wrong_member(world: World) -> None:
    worker = {"worker_id": WORKER, "worker_ip": "10.0.0.1:1"}
    for field, value in WRONG_WORKER:
        answer = await world.call("POST", "/workers", "admin", {**worker, field: value})
        assert field in _is_error(answer, 400, "INVALID_REQUEST")["error"] or field == "worker_port", (field, value)
    missing = await world.call("POST", "/workers", "admin", {"worker_id": WORKER, "worker_ip": "10.0.0.1"})
    assert _is_error(missing, 400)["error"] == "Missing required field: worker_port"
    for field in worker:
        body = {k: v for k, v in worker.items() if k != field}
        assert _is_error(await world.call("POST", "/workers", "admin", body), 400)["error"].endswith(field)
    assert (await world.read("/workers"))["workers"] == []


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"nul", b'{"a":1}x', b'{"a":1,"a":2}', b"\xff", b'{"a":NaN}'])
async def test_no_json_object(world: World, raw: bytes) -> None:
    for path in ("/tasks", "/workers"):
        _is_error(await world.call("POST", path, "admin", raw=raw), 400, "INVALID_REQUEST")


async def test_a_wrong_query(world: World) -> None:
    for path in (
        "/tasks?status=done", "/tasks?status=failed&status=failed", "/tasks?limit=0",
        "/tasks?limit=x", "/tasks?limit=1001", "/tasks?offset=-1", "/files?user_id=a&limit=0", "/files",
        "/files?user_id=a&offset=x",
        "/files?user_id=", "/files?user_id=a&user_id=b", f"/files/{NOBODY}", f"/files/{NOBODY}/download/x",
        "/files?user_id=a&requesting_user=a&requesting_user=a",
    ):  # fmt: skip
        _is_error(await world.call("GET", path), 400, "INVALID_REQUEST")


async def test_a_parameter_left_empty_counts_as_absent(world: World) -> None:
    await world.submit()
    assert len((await world.read("/tasks?status=&limit=&offset="))["tasks"]) == 1
    assert await world.read("/files?user_id=a&limit=&offset=&requesting_user=", "a") == await world.read(
        "/files?user_id=a", "a"
    )
    found = _is_error(await world.call("GET", "/tasks?limit=0"), 400, "INVALID_REQUEST")
    assert found["error"] == "Invalid parameter limit: must be a whole number from 1 to 1000"


@pytest.mark.parametrize("task_id", [NOBODY, "nonsense", "x" * 300, "..", "%00", "ä"])
async def test_no_such_task(world: World, task_id: str) -> None:
    for method, path in [
        ("GET", f"/tasks/{task_id}"), ("DELETE", f"/tasks/{task_id}"), ("GET", f"/tasks/{task_id}/logs"),
        ("PUT", f"/tasks/{task_id}/retry"), ("GET", f"/files/{task_id}?user_id=a"),
        ("DELETE", f"/files/{task_id}?user_id=a"), ("GET", f"/files/{task_id}/download/x?user_id=a"),
    ]:  # fmt: skip
        _is_error(await world.call(method, path), 404, "NOT_FOUND")


@pytest.mark.parametrize("name", [WORKER, "x" * 300, "%00", "ä", "a%20b"])
async def test_no_such_worker(world: World, name: str) -> None:
    for method, path in (("GET", ""), ("GET", "/tasks"), ("DELETE", "")):
        _is_error(await world.call(method, f"/workers/{name}{path}", "admin"), 404, "NOT_FOUND")
    _is_error(await world.call("GET", f"/telemetry/{name}", prefix="/cloudai"), 404, "NOT_FOUND")


async def test_other_errors_have_the_same_form(world: World) -> None:
    _is_error(await world.call("GET", "/nowhere"), 404, "NOT_FOUND")
    wrong = await world.call("PATCH", "/tasks")
    _is_error(wrong, 405, "METHOD_NOT_ALLOWED")
    assert wrong.headers["Allow"] == "GET, HEAD, POST"
    _is_error(await world.call("POST", "/tasks", raw=b"{}", headers={"Content-Type": "text/plain"}), 415)
    _is_error(await world.call("POST", "/tasks", raw=b" " * 1_048_577), 413)
    _is_error(await world.call("GET", "/ws/telemetry", prefix="/cloudai"), 426)
    _is_error(await world.call("GET", "/tasks", None), 401, "UNAUTHORIZED")
    _is_error(await world.call("POST", "/workers", "a", {"worker_id": WORKER, "worker_ip": ADDRESS}), 403, "FORBIDDEN")


async def test_faults_of_ours_tell_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("secret")

    monkeypatch.setattr(world.store.tasks, "find", broken)
    assert "secret" not in _is_error(await world.call("GET", "/tasks"), 500, "INTERNAL_ERROR")["error"]
