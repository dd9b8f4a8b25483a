"""Nothing that a caller sends is a fault of ours, and what is refused changes nothing."""

import pytest

from dispatcher.domain import errors as e
from tests.dialects.native.bad_inputs import CASES, Case
from tests.dialects.native.world import CREATE, REGISTER, World


def test_there_are_enough_of_them() -> None:
    assert len(CASES) >= 150


async def _facts(world: World) -> tuple[object, ...]:
    tasks = (await world.call("GET", "/api/tasks?all=true", "admin")).json()
    servers = (await world.call("GET", "/api/servers", "admin")).json()
    return tasks, servers, (await world.call("GET", "/api/stats/load-balancer", "admin")).json()


@pytest.mark.parametrize("case", CASES, ids=[f"{n}-{case[0]}" for n, case in enumerate(CASES)])
async def test_refused_in_the_documented_form_and_without_a_trace(world: World, case: Case) -> None:
    _, method, path, token, body, headers = case
    server_id = await world.register()
    task_id = await world.create()
    before = await _facts(world)
    answer = await world.call(
        method, path.replace("{server}", server_id).replace("{task}", task_id), token, raw=body, headers=headers
    )
    assert 400 <= answer.status_code < 500
    error = answer.json()
    assert error.keys() >= {"error", "details", "code", "requestId"}
    assert error["requestId"] == answer.headers["X-Request-Id"]
    assert await _facts(world) == before


@pytest.mark.parametrize(
    ("path", "token", "body", "details"),
    [
        ("/api/task", "client-a", {"type": "x", "payload": {}}, "Missing required field: priority"),
        ("/api/task", "client-a", {}, "Missing required field: type"),
        ("/api/task", "client-a", {**CREATE, "priority": None}, "Missing required field: priority"),
        ("/api/task", "client-a", {**CREATE, "priority": True}, "Invalid field priority: must be a whole number"),
        ("/api/task", "client-a", {**CREATE, "payload": "x"}, "Invalid field payload: must be an object"),
        ("/api/servers", "admin", {**REGISTER, "endpoints": {}}, "Missing required field: endpoints.predict"),
        ("/api/servers", "admin", {"name": "x"}, "Missing required field: endpoints"),
    ],
)
async def test_the_texts(world: World, path: str, token: str, body: object, details: str) -> None:
    answer = await world.call("POST", path, token, body)
    error = answer.json()
    assert (answer.status_code, error["error"], error["details"]) == (400, "Invalid request", details)
    assert error["code"] == "INVALID_REQUEST"


async def test_unknown_fields_and_null_for_optional_ones_are_fine(world: World) -> None:
    nulls = dict.fromkeys(("capabilities", "async", "group", "timeout", "deadline", "runAt", "affinity", "resources"))
    task = {**CREATE, **nulls, "unknown": 1}
    assert (await world.call("POST", "/api/task", body=task)).status_code == 200
    nulls = dict.fromkeys(("apiKey", "maxConcurrent", "capabilities", "groups", "priority", "resources"))
    ends = {"predict": "http://x/", "health": None}
    server = {**REGISTER, **nulls, "endpoints": ends, "unknown": {}}
    assert (await world.call("POST", "/api/servers", "admin", server)).status_code == 200


async def test_methods_are_named(world: World) -> None:
    answer = await world.call("PATCH", "/api/task/x")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "DELETE, GET, HEAD, PUT")


async def test_head_is_a_get_without_a_body(world: World) -> None:
    task_id = await world.create()
    head = await world.call("HEAD", f"/api/task/{task_id}")
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["Content-Length"]) > 0
    assert (await world.call("HEAD", "/docs", None)).content == b""


async def test_a_fault_of_ours_tells_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(name: str, *, by: str) -> None:
        raise RuntimeError("password=hunter2 at 10.0.0.1")

    monkeypatch.setattr(world.store.servers, "set_algorithm", broken)
    answer = await world.call("POST", "/api/stats/load-balancer/algorithm", "admin", {"algorithm": "random"})
    assert answer.status_code == 500
    assert answer.json() | {"requestId": ""} == {
        "error": "Internal server error", "details": "An unexpected error occurred", "code": "INTERNAL_ERROR",
        "requestId": "",
    }  # fmt: skip


async def test_a_store_out_of_reach_is_503(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*args: object, **kwargs: object) -> None:
        raise e.Unavailable("The store is out of reach", 2)

    monkeypatch.setattr(world.store.tasks, "find", away)
    answer = await world.call("GET", "/api/tasks")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert answer.json()["code"] == "UNAVAILABLE"
