"""What is refused, in the error form, whatever is wrong; and nothing changes."""

from typing import Any

import pytest

from dispatcher.domain.errors import Unavailable
from tests.dialects.cluster.world import TASK, Response, World

MODEL: dict[str, Any] = {"model_name": "llama", "worker_ids": ["worker-001"]}
WORDS = ["", "x\n", "x" * 129, 1, ["x"]]
WRONG: dict[str, tuple[dict[str, Any], dict[str, list[Any]]]] = {
    "/tasks": (
        TASK,
        {
            "task_type": WORDS,
            "model_name": WORDS,
            "parameters": [[], "x", 1],
            "priority": ["urgent", "", 5, "NORMAL"],
            "timeout": [0, 0.5, -1, 86_401, "300", True],
        },
    ),
    "/models/assign": (
        MODEL,
        {
            "model_name": WORDS,
            "worker_ids": [[], "worker-001", [1], ["worker-001", "worker-001"], ["x"] * 65],
            "preload": [1, "true"],
            "priority": ["urgent", 1],
        },
    ),
    "/models/unload": (MODEL, {"model_name": WORDS, "worker_ids": [[], ["worker-001"] * 2], "force": [0, "no"]}),
    "/cluster/rebalance": ({}, {"strategy": ["best", "", 1], "force": [1], "dry_run": ["yes"]}),
}


def is_error(answer: Response, status: int, reason: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    assert body.keys() - {"field"} == {"error", "message", "code", "reason", "requestId"}
    assert (body["code"], body["reason"]) == (status, reason)
    assert body["error"]
    assert body["message"]
    assert body["requestId"] == answer.headers["X-Request-Id"]
    return body


@pytest.fixture
async def one(world: World) -> World:
    await world.worker()
    return world


@pytest.mark.parametrize("path", WRONG)
async def test_a_wrong_member(one: World, path: str) -> None:
    body, wrong = WRONG[path]
    for field, values in wrong.items():
        for value in values:
            answer = await one.call("POST", path, "admin", {**body, field: value})
            found = is_error(answer, 400, "INVALID_REQUEST")["field"]
            assert found.split(".")[0] == field, value
    assert (await one.get("/tasks", "admin"))["total"] == 0
    assert await one.store.commands.pending("worker-001") == []


async def test_a_missing_member(one: World) -> None:
    for path, (body, _) in WRONG.items():
        for field in body.keys() & {"task_type", "worker_ids"} | (
            {"model_name"} if path.startswith("/models") else set()
        ):
            for given in ({k: v for k, v in body.items() if k != field}, {**body, field: None}):
                answer = await one.call("POST", path, "admin", given)
                assert is_error(answer, 400, "INVALID_REQUEST")["field"] == field


NO_OBJECTS = [b"", b"{", b"[]", b'{"a":1}x', b'{"a":1,"a":2}', b"\xff", b'{"timeout":1e999}', b"[" * 99]


@pytest.mark.parametrize("path", WRONG)
async def test_no_json_object(one: World, path: str) -> None:
    optional = path == "/cluster/rebalance"
    for raw in NO_OBJECTS[optional:]:
        is_error(await one.call("POST", path, "admin", raw=raw), 400, "INVALID_REQUEST")


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/tasks", ["status=done", "status=queued&status=running", "limit=0", "limit=x", "limit=1.5"]),
        ("/tasks", ["offset=-1", "offset=x", "worker_id=a/b", "worker_id=%00"]),
        ("/workers", ["status=idle", f"gpu_type={'x' * 257}"]),
        ("/cluster/metrics", ["timeframe=2h", "timeframe=1h&timeframe=7d"]),
    ],
)
async def test_a_wrong_query(one: World, path: str, fields: list[str]) -> None:
    for query in fields:
        answer = await one.call("GET", f"{path}?{query}", "admin")
        assert is_error(answer, 400, "INVALID_REQUEST")["field"] == query.split("=")[0]


async def test_a_parameter_left_empty_counts_as_absent(one: World) -> None:
    await one.submit()
    for path, names in {
        "/tasks": ("status", "worker_id", "limit", "offset"),
        "/workers": ("status", "gpu_type"),
        "/cluster/metrics": ("timeframe",),
    }.items():
        assert await one.get(f"{path}?{'&'.join(f'{name}=' for name in names)}") == await one.get(path)


async def test_a_wrong_limit_is_told_the_range(one: World) -> None:
    found = is_error(await one.call("GET", "/tasks?limit=0"), 400, "INVALID_REQUEST")
    assert found["message"] == "Invalid parameter limit: must be a whole number from 1 to 1000"
    assert (await one.get("/tasks?limit=99999"))["limit"] == 1_000


async def test_what_is_not_there(one: World) -> None:
    for name in ("task-1", "x", "%00", "x" * 300, "..%2F.."):
        for method in ("GET", "DELETE"):
            found = is_error(await one.call(method, f"/tasks/{name}"), 404, "NOT_FOUND")
            assert found["error"] == "Not Found"
        for method, path in (("GET", f"/workers/{name}"), ("POST", f"/workers/{name}/restart")):
            is_error(await one.call(method, path, "admin"), 404, "NOT_FOUND")
    for path in ("/nothing", "/cluster", "/models"):
        is_error(await one.call("GET", path), 404, "NOT_FOUND")
    for path in ("/models/assign", "/models/unload"):
        for name in ("worker-002", "a/b", "\u00e4"):
            answer = await one.call("POST", path, "admin", {**MODEL, "worker_ids": ["worker-001", name]})
            assert is_error(answer, 404, "NOT_FOUND")["message"].startswith("Worker not found")
    assert await one.store.placements.find() == []


async def test_methods_media_types_and_sizes(one: World) -> None:
    refused = await one.call("PATCH", "/tasks")
    is_error(refused, 405, "METHOD_NOT_ALLOWED")
    assert refused.headers["Allow"] == "GET, HEAD, POST"
    is_error(await one.call("GET", "/ws"), 426, "UPGRADE_REQUIRED")
    text = await one.call("POST", "/tasks", raw=b"{}", headers={"Content-Type": "text/plain"})
    is_error(text, 415, "UNSUPPORTED_MEDIA_TYPE")
    is_error(await one.call("POST", "/tasks", raw=b" " * 1_048_577), 413, "PAYLOAD_TOO_LARGE")


async def test_a_store_out_of_reach(one: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def gone(*_: Any, **__: Any) -> Any:
        raise Unavailable("The store is out of reach")

    monkeypatch.setattr(one.store.tasks, "find", gone)
    answer = await one.call("GET", "/tasks")
    assert is_error(answer, 503, "UNAVAILABLE")["error"] == "Service Unavailable"
    assert answer.headers["Retry-After"]
    monkeypatch.setattr(one.store.coordination, "ping", gone)
    is_error(await one.call("GET", "/health"), 503, "UNAVAILABLE")


async def test_a_fault_of_ours_tells_nothing(one: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("a secret")

    monkeypatch.setattr(one.store.tasks, "find", broken)
    answer = await one.call("GET", "/tasks")
    is_error(answer, 500, "INTERNAL_ERROR")
    assert "secret" not in answer.text


async def test_a_full_queue_is_an_overloaded_cluster(open_world: Any) -> None:
    world: World = open_world(queue={"tasks": 1})
    await world.submit()
    answer = await world.call("POST", "/tasks", body=TASK)
    is_error(answer, 503, "UNAVAILABLE")
    assert (await world.get("/tasks"))["total"] == 1
