"""Every operation of the farm under every kind of caller, and who may open a socket."""

import pytest

from tests.dialects.farm.conftest import OpenWorld
from tests.dialects.farm.world import CLIENT, TASK, Closed, Denied, World

CALLERS = (None, "garbage", "a", "b", "foreign", "worker", "bound", "admin")
_CLIENTS = {"a", "b", "foreign", "admin"}
# operation -> method, path, body, who may
TABLE = {
    "listTasks": ("GET", "/tasks", None, _CLIENTS),
    "createTask": ("POST", "/tasks", TASK, _CLIENTS),
    "getTask": ("GET", "/tasks/{task}", None, {"a", "admin"}),
    "updateTaskStatus": ("PUT", "/tasks/{task}/status", {"status": "paused"}, {"a", "admin"}),
    "deleteTask": ("DELETE", "/tasks/{task}", None, {"a", "admin"}),
    "listClients": ("GET", "/clients", None, _CLIENTS),
    "getClient": ("GET", f"/clients/{CLIENT}", None, {"a", "b", "admin"}),
    "systemMetrics": ("GET", "/metrics", None, _CLIENTS),
    "taskMetrics": ("GET", "/metrics/tasks/{task}", None, {"a", "admin"}),
}


def test_the_table_names_every_operation(world: World) -> None:
    assert TABLE.keys() == {operation.id for operation in world.dialect("required").operations}


@pytest.mark.parametrize("caller", CALLERS)
async def test_who_may_do_what(world: World, caller: str | None) -> None:
    async with world.connected():
        for operation, (method, path, body, allowed) in TABLE.items():
            task_id = await world.create()
            status = (await world.call(method, path.replace("{task}", task_id), caller, body)).status_code
            if caller in allowed:
                assert status < 300, operation
                continue
            refused = 401 if caller in (None, "garbage") else 404 if caller in _CLIENTS else 403
            assert status == refused, operation
            assert (await world.task(task_id))["status"] == "pending", operation


async def test_somebody_elses_task_is_not_there(world: World) -> None:
    task_id = await world.create()
    for status in ("running", "stopped", "pending", "completed"):
        assert (await world.put(task_id, status, "b")).status_code == 404


async def test_lists_hold_ones_own(world: World) -> None:
    await world.create("a")
    await world.create("foreign")
    for caller, total in (("a", 1), ("b", 0), ("foreign", 1), ("admin", 2)):
        assert (await world.call("GET", "/tasks", caller)).json()["total"] == total
    async with world.connected(), world.connected("far", caller="elsewhere"):
        for caller, clients in (("a", [CLIENT]), ("foreign", ["far"]), ("admin", ["far", CLIENT])):
            found = (await world.call("GET", "/clients", caller)).json()["clients"]
            assert [client["id"] for client in found] == clients


async def test_a_clients_tasks_are_shown_to_their_owners(world: World) -> None:
    async with world.connected() as socket:
        task_id = await world.given(socket, caller="b")
        for caller, shown in (("a", []), ("b", [task_id]), ("admin", [task_id])):
            client = (await world.call("GET", f"/clients/{CLIENT}", caller)).json()
            assert [task["id"] for task in client["tasks"]] == shown


async def test_clients_of_two_tenants_with_one_name_are_two(world: World) -> None:
    async with world.connected() as socket, world.connected(caller="elsewhere") as other:
        task_id = await world.given(socket)
        other.say("task_result", task_id=task_id, status="completed")
        assert (await other.hear())["received"] is False


DENIED: list[tuple[str | None, str | None, int, str]] = [
    (None, CLIENT, 401, "UNAUTHORIZED"),
    ("garbage", CLIENT, 401, "UNAUTHORIZED"),
    ("a", CLIENT, 403, "FORBIDDEN"),
    ("worker", None, 400, "INVALID_REQUEST"),
    ("worker", "", 400, "INVALID_REQUEST"),
    ("worker", "a b", 400, "INVALID_REQUEST"),
    ("worker", "a/b", 400, "INVALID_REQUEST"),
    ("worker", "..", 400, "INVALID_REQUEST"),
    ("worker", "a%2Fb", 400, "INVALID_REQUEST"),
    ("worker", f"server_{'a' * 26}", 400, "INVALID_REQUEST"),
    ("worker", "x" * 129, 400, "INVALID_REQUEST"),
]


async def test_who_may_not_open_a_socket_is_told_before_it_is_one(world: World) -> None:
    for caller, client, status, code in DENIED:
        with pytest.raises(Denied) as denied:
            await world.socket(caller, client).opened()
        error = denied.value.body["error"]
        assert (denied.value.status, error["code"]) == (status, code)
        assert denied.value.headers["x-api-version"] == "1.0"
        assert error["details"]["requestId"] == denied.value.headers["x-request-id"]
    assert await world.services.servers.all() == []


async def test_a_token_in_the_query_is_refused(world: World) -> None:
    socket = world.socket(query=f"token={world.tokens['worker']}")
    with pytest.raises(Denied):
        await socket.opened()


async def test_a_socket_of_another_version(world: World) -> None:
    with pytest.raises(Denied) as denied:
        await world.socket(headers={"X-API-Version": "2.0"}).opened()
    assert denied.value.status == 400


async def test_a_server_that_cannot_answer_a_handshake_refuses_it(world: World) -> None:
    socket = world.socket(None, extensions=False)
    with pytest.raises(Closed) as closed:
        await socket.hear()
    assert closed.value.code == 1008


@pytest.mark.parametrize(("client", "allowed"), [(CLIENT, True), ("another", False)])
async def test_a_bound_token_speaks_for_one_client(world: World, client: str, allowed: bool) -> None:
    socket = world.socket("bound", client)
    accepted = await socket.opened()
    assert (b"x-api-version", b"1.0") in accepted["headers"]
    if allowed:
        await socket.drop()
    else:
        with pytest.raises(Closed) as closed:
            await socket.hear()
        assert closed.value.code == 1008
        assert await world.services.servers.all() == []


async def test_without_authentication_everybody_may_do_everything_there(open_world: OpenWorld) -> None:
    world = open_world(farm={"auth": "none"})
    answer = await world.call("POST", "/tasks", None, TASK)
    assert answer.status_code == 201
    async with world.connected(caller=None) as socket:
        socket.say("task_request")
        assert (await socket.hear())["data"]["id"] == answer.json()["id"]
    assert (await world.call("GET", "/api/tasks", None, prefix="")).status_code == 401, "the native API is closed"


async def test_a_listener_has_a_door_of_its_own(open_world: OpenWorld) -> None:
    world = open_world(listeners=[{"dialect": "farm", "port": 8765, "auth": "none"}, {"dialect": "farm", "port": 8766}])
    open_door, closed_door = world.listener(0), world.listener(1)
    for path in ("/api/tasks", "/v1/tasks", "/api/v1/tasks"):
        assert (await open_door.get(path)).status_code == 200
    assert (await open_door.get("/")).status_code == 426
    assert (await closed_door.get("/api/tasks")).status_code == 401
    for path in ("/", "/ws"):
        socket = world.socket(None, path=path, app=world.gateway.apps[0])
        await socket.opened()
        await socket.drop()
    with pytest.raises(Denied):
        await world.socket(None, path="/", app=world.gateway.apps[1]).opened()
