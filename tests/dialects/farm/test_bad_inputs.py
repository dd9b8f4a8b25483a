"""What is refused, in the document's error form, whatever is wrong."""

import json
import re
from typing import Any

import pytest

from dispatcher.dialects.farm.farm import farm_dialect
from dispatcher.dialects.farm.socket import SocketLimits
from dispatcher.domain.errors import Unavailable
from tests.dialects.farm.conftest import OpenWorld
from tests.dialects.farm.world import NOBODY, TASK, Closed, Denied, World

WRONG: dict[str, list[Any]] = {
    "type": ["", "a\n", "x" * 129, 1],
    "name": ["", "x" * 257, ["x"]],
    "url": ["", "example.com", "ftp://x/y", "http://", "file:///etc/passwd", 1],
    "batch_size": [0, -1, 1.5, "32", True],
    "learning_rate": [0, -0.1, "0.1", True],
    "epochs": [0, 2**60, "10"],
    "distributed": [1, "true"],
    "n_clients": [0, 2, 65, "3"],
    "requirements": [[], "x", 1],
    "requirements.min_ram": [{"min_ram": value} for value in (-1, 1.5, "1", 2**40)],
    "requirements.min_gpu_memory": [{"min_gpu_memory": value} for value in (-1, "1")],
    "requirements.min_cpu_cores": [{"min_cpu_cores": value} for value in (-1, "1", 10_000)],
}


def _is_error(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["X-API-Version"] == "1.0"
    body: dict[str, Any] = answer.json()
    assert body.keys() == {"error"}
    assert body["error"].keys() == {"code", "message", "details"}
    assert body["error"]["message"]
    assert body["error"]["code"] == code
    details: dict[str, Any] = body["error"]["details"]
    assert details["requestId"] == answer.headers["X-Request-Id"]
    return details


@pytest.mark.parametrize("field", WRONG)
async def test_a_task_with_a_wrong_member(world: World, field: str) -> None:
    for value in WRONG[field]:
        answer = await world.call("POST", "/tasks", body={**TASK, field.split(".")[0]: value})
        assert _is_error(answer, 400, "INVALID_REQUEST")["field"] == field, value
    assert (await world.call("GET", "/tasks")).json()["total"] == 0


@pytest.mark.parametrize("field", list(TASK))
async def test_a_task_without_a_member(world: World, field: str) -> None:
    for body in ({k: v for k, v in TASK.items() if k != field}, {**TASK, field: None}):
        assert _is_error(await world.call("POST", "/tasks", body=body), 400, "INVALID_REQUEST")["field"] == field


async def test_a_distributed_task_has_a_bounded_number_of_clients(world: World) -> None:
    for n_clients in (65, 0, "2"):
        answer = await world.call("POST", "/tasks", body={**TASK, "distributed": True, "n_clients": n_clients})
        assert _is_error(answer, 400, "INVALID_REQUEST")["field"] == "n_clients"


NO_OBJECTS = [b"", b"{", b"[]", b'{"a":1}x', b'{"a":1,"a":2}', b"\xff", b'{"type":NaN}', b"[" * 99]


async def test_no_json_object(world: World) -> None:
    for raw in NO_OBJECTS:
        for method, path in (("POST", "/tasks"), ("PUT", f"/tasks/{NOBODY}/status")):
            _is_error(await world.call(method, path, raw=raw), 400, "INVALID_REQUEST")


async def test_a_wrong_status(world: World) -> None:
    task_id = await world.create()
    for body in ({}, {"status": "done"}, {"status": None}, {"status": 1}, {"status": "Paused"}):
        answer = await world.call("PUT", f"/tasks/{task_id}/status", body=body)
        assert _is_error(answer, 400, "INVALID_REQUEST")["field"] == "status"
    told = (await world.put(task_id, "done")).json()["error"]["message"]
    words = set(re.findall("'(.*?)'", told))
    assert words == {"pending", "running", "paused", "stopped", "cancelled"}


async def test_a_wrong_reason(world: World) -> None:
    task_id = await world.create()
    _is_error(await world.put(task_id, "paused", reason="x" * 1001), 400, "INVALID_REQUEST")
    _is_error(await world.put(task_id, "paused", reason=["x"]), 400, "INVALID_REQUEST")
    assert (await world.task(task_id))["status"] == "pending"


async def test_a_wrong_query(world: World) -> None:
    for query in ["page=0", "page=-1", "page=x", "limit=0", "limit=1.5", "page=1&page=2", "status=done", "status="]:
        answer = await world.call("GET", f"/tasks?{query}")
        assert _is_error(answer, 400, "INVALID_REQUEST")["field"] == query.split("=")[0]
    task_id = await world.create()
    for history in ("-1", "257", "x"):
        answer = await world.call("GET", f"/metrics/tasks/{task_id}?history={history}")
        assert _is_error(answer, 400, "INVALID_REQUEST")["field"] == "history"


async def test_no_such_task(world: World) -> None:
    for task_id in (NOBODY, "x", "%00", "task_1", "x" * 300):
        for method, path, body in [
            ("GET", f"/tasks/{task_id}", None),
            ("DELETE", f"/tasks/{task_id}", None),
            ("PUT", f"/tasks/{task_id}/status", {"status": "paused"}),
            ("PUT", f"/tasks/{task_id}/status", {"status": "running"}),
            ("PUT", f"/tasks/{task_id}/status", {"status": "pending"}),
            ("GET", f"/metrics/tasks/{task_id}", None),
            ("GET", f"/clients/{task_id}", None),
        ]:
            _is_error(await world.call(method, path, body=body), 404, "NOT_FOUND")


async def test_methods_media_types_and_sizes(world: World) -> None:
    refused = await world.call("PATCH", "/tasks")
    _is_error(refused, 405, "METHOD_NOT_ALLOWED")
    assert refused.headers["Allow"] == "GET, HEAD, POST"
    _is_error(await world.call("POST", "", prefix="/farm"), 405, "METHOD_NOT_ALLOWED")
    _is_error(await world.call("GET", "", prefix="/farm"), 426, "UPGRADE_REQUIRED")
    text = await world.call("POST", "/tasks", raw=b"{}", headers={"Content-Type": "text/plain"})
    _is_error(text, 415, "UNSUPPORTED_MEDIA_TYPE")
    _is_error(await world.call("POST", "/tasks", raw=b" " * 1_048_577), 413, "PAYLOAD_TOO_LARGE")


async def test_a_store_out_of_reach(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def gone(*_: Any, **__: Any) -> Any:
        raise Unavailable("The store is out of reach")

    monkeypatch.setattr(world.store.tasks, "find", gone)
    answer = await world.call("GET", "/tasks")
    _is_error(answer, 503, "SERVICE_UNAVAILABLE")
    assert answer.headers["Retry-After"]
    monkeypatch.setattr(world.store.servers, "put", gone)
    with pytest.raises(Denied) as denied:
        await world.socket().opened()
    assert denied.value.status == 503


async def test_a_fault_of_ours_tells_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("a secret")

    monkeypatch.setattr(world.store.tasks, "find", broken)
    answer = await world.call("GET", "/tasks")
    _is_error(answer, 500, "INTERNAL_ERROR")
    assert "secret" not in answer.text
    async with world.connected() as socket:
        monkeypatch.setattr(world.store.servers, "heartbeat", broken)
        socket.say("heartbeat")
        with pytest.raises(Closed) as closed:
            await socket.hear()
    assert closed.value.code == 1011
    assert "secret" not in closed.value.reason


MESSAGES: list[tuple[dict[str, Any], str | None]] = [
    ({}, "type"),
    ({"type": 1}, "type"),
    ({"type": "task"}, "type"),
    ({"type": "task_request", "resources": []}, "resources"),
    ({"type": "task_request", "resources": {"cpu": {"cores": -1}}}, "resources.cpu.cores"),
    ({"type": "heartbeat", "system_info": []}, "system_info"),
    ({"type": "heartbeat", "system_info": {"cpu_usage": "45"}}, "system_info.cpu_usage"),
    ({"type": "heartbeat", "resources": {"gpu": [{}] * 65}}, "resources.gpu"),
    ({"type": "task_progress", "progress": 1}, "task_id"),
    ({"type": "task_progress", "task_id": NOBODY}, "progress"),
    ({"type": "task_progress", "task_id": NOBODY, "progress": "45"}, "progress"),
    ({"type": "task_progress", "task_id": NOBODY, "progress": True}, "progress"),
    ({"type": "task_progress", "task_id": NOBODY, "progress": 1, "metrics": [1]}, "metrics"),
    ({"type": "task_progress", "task_id": NOBODY, "progress": 1, "metrics": {"x": "y" * 16_384}}, "metrics"),
    ({"type": "task_progress", "task_id": NOBODY, "progress": 1, "attempt": 0}, "attempt"),
    ({"type": "task_progress", "task_id": NOBODY, "progress": float("nan")}, None),
    ({"type": "task_progress", "task_id": NOBODY, "progress": 1, "metrics": {"loss": float("inf")}}, None),
    ({"type": "task_result", "status": "completed"}, "task_id"),
    ({"type": "task_result", "task_id": NOBODY, "status": "done"}, "status"),
    ({"type": "task_result", "task_id": NOBODY, "status": "failed", "error": 1}, "error"),
    ({"type": "task_result", "task_id": NOBODY, "status": "completed", "metrics": {"loss": float("nan")}}, None),
    ({"type": "heartbeat", "more": json.loads("[" * 33 + "]" * 33)}, None),
]


async def test_a_wrong_message_is_answered_and_the_socket_goes_on(world: World) -> None:
    async with world.connected() as socket:
        for message, field in MESSAGES:
            socket.send(message)
            heard = await socket.hear()
            assert (heard["type"], heard["timestamp"]) == ("error", "2024-11-04T12:00:00Z")
            assert (heard["data"]["code"], heard["data"]["details"].get("field")) == ("INVALID_REQUEST", field), message
            assert heard["data"]["details"].get("task_id") == message.get("task_id")
            if message.get("type") == "task_result" and "task_id" in message:
                assert (await socket.hear())["type"] == "task_result_ack"
        await world.given(socket)


async def test_a_result_is_acknowledged_whatever_is_wrong(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def gone(*_: Any, **__: Any) -> Any:
        raise Unavailable("The store is out of reach")

    async with world.connected() as socket:
        task_id = await world.given(socket)
        socket.say("task_result", task_id=task_id, status="done")
        assert (await socket.hear())["data"]["details"]["field"] == "status"
        ack = await socket.hear()
        assert (ack["task_id"], ack["received"], ack["reason"]) == (task_id, False, "INVALID_REQUEST")
        for call in ("get", "progress", "finish"):
            with monkeypatch.context() as patched:
                patched.setattr(world.store.tasks, call, gone)
                socket.say("task_result", task_id=task_id, status="failed", checkpoint_path="/1")
                ack = await socket.hear()
            assert (ack["task_id"], ack["received"], ack["reason"]) == (task_id, False, "SERVICE_UNAVAILABLE"), call
            assert (await world.task(task_id))["status"] == "running"
        socket.say("task_result", task_id=task_id, status="failed", checkpoint_path="/1")
        assert (await socket.hear())["received"] is True


async def test_a_message_too_deep_to_be_read_is_told_so(world: World) -> None:
    async with world.connected() as socket:
        socket.send_raw({"type": "websocket.receive", "text": '{"type":"heartbeat","x":' + "[" * 100_000})
        assert "nested deeper" in (await socket.hear())["data"]["message"]


async def test_no_such_socket(world: World) -> None:
    with pytest.raises(Denied) as denied:
        await world.socket(path="/farm/nowhere").opened()
    assert (denied.value.status, denied.value.body["error"]["code"]) == (404, "NOT_FOUND")
    assert denied.value.headers["x-api-version"] == "1.0"


async def test_progress_of_a_task_that_is_not_there(world: World) -> None:
    async with world.connected() as socket:
        socket.say("task_progress", task_id=NOBODY, progress=1)
        heard = await socket.hear()
        assert (heard["data"]["code"], heard["data"]["details"]["task_id"]) == ("NOT_FOUND", NOBODY)


ENDING: list[tuple[dict[str, Any], int]] = [
    ({"text": "{"}, 1002),
    ({"text": "[]"}, 1002),
    ({"text": ""}, 1002),
    ({"text": "[" * 100_000}, 1002),
    ({"bytes": b"{}"}, 1003),
    ({"text": "\ud800"}, 1003),
    ({"text": '{"type":"heartbeat","client_id":"another"}'}, 1008),
    ({"text": " " * 1_048_577}, 1008),
]


async def test_what_ends_a_socket(world: World) -> None:
    for message, code in ENDING:
        async with world.connected() as socket:
            socket.send_raw({"type": "websocket.receive", **message})
            with pytest.raises(Closed) as closed:
                await socket.hear()
        assert closed.value.code == code, message


async def test_a_flood_ends_a_socket(open_world: OpenWorld) -> None:
    world = open_world(farm={"messages": 3})
    async with world.connected() as socket:
        for _ in range(4):
            socket.say("heartbeat")
        with pytest.raises(Closed) as closed:
            await socket.hear()
    assert closed.value.code == 1008


async def test_one_principal_has_a_bounded_number_of_sockets(world: World) -> None:
    gate = world.dialect("required")._gate
    app = farm_dialect(world.services, gate, world.clock, socket_limits=SocketLimits(sockets=1)).mount()
    async with world.connected(path="/", app=app):
        over = world.socket(client="another", path="/", app=app)
        await over.opened()
        with pytest.raises(Closed) as closed:
            await over.hear()
        assert closed.value.code == 1008
        async with world.connected("third", caller="admin", path="/", app=app):
            pass
    async with world.connected("another", path="/", app=app):
        pass


async def test_connections_are_counted(open_world: OpenWorld) -> None:
    world = open_world(farm={"reports": 1})
    async with world.connected():
        with pytest.raises(Denied) as denied:
            await world.socket().opened()
        assert denied.value.status == 429
        assert denied.value.headers["retry-after"]
        async with world.connected("another"):
            pass


async def test_new_names_of_one_principal_are_counted(open_world: OpenWorld) -> None:
    world = open_world(farm={"requests": 2})
    for _ in range(2):
        for name in ("one", "two"):
            async with world.connected(name):
                pass
    with pytest.raises(Denied) as denied:
        await world.socket(client="three").opened()
    assert (denied.value.status, denied.value.body["error"]["code"]) == (429, "RATE_LIMITED")
    assert len(await world.store.servers.all()) == 2
    async with world.connected("three", caller="elsewhere"):
        pass


async def test_a_client_that_does_not_read_is_closed(open_world: OpenWorld) -> None:
    world = open_world(farm={"messages": 1000})
    socket = world.socket(reads=1)
    await socket.opened()
    for _ in range(260):
        socket.send({"type": "nothing"})
    await world.settle()
    async for message in socket:
        assert message["type"] == "error"
    assert socket.closed_with == 1001
