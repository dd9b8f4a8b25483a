"""Every operation of CloudAI under every kind of caller; who sees what of whom."""

import pytest

from tests.dialects.cloudai.conftest import OpenWorld
from tests.dialects.cloudai.world import ADDRESS, TASK, WORKER, World
from tests.dialects.sockets import Closed

CALLERS = (None, "garbage", "a", "b", "foreign", "worker", "admin")
_CLIENTS = {"a", "b", "foreign", "admin"}
_ANYBODY = {*_CLIENTS, "worker"}
_OWNER = {"a", "admin"}
_REGISTER = {"worker_id": "worker-2", "worker_ip": ADDRESS}
_LARGE = {**TASK, "cpu_required": 100}  # for which no worker has room
_FILES = "/api/files/{task}"
# operation -> method, path, body, who may
TABLE = {
    "health": ("GET", "/health", None, set(CALLERS)),
    "telemetryAll": ("GET", "/telemetry", None, _ANYBODY),
    "telemetryWorker": ("GET", "/telemetry/{server}", None, _ANYBODY),
    "workersLegacy": ("GET", "/workers", None, _ANYBODY),
    "listWorkers": ("GET", "/api/workers", None, _ANYBODY),
    "registerWorker": ("POST", "/api/workers", _REGISTER, {"admin"}),
    "getWorker": ("GET", "/api/workers/{server}", None, _ANYBODY),
    "unregisterWorker": ("DELETE", "/api/workers/worker-3", None, {"admin"}),
    "getWorkerTasks": ("GET", "/api/workers/{server}/tasks", None, _ANYBODY),
    "listTasks": ("GET", "/api/tasks", None, _CLIENTS),
    "createTask": ("POST", "/api/tasks", _LARGE, _CLIENTS),
    "getTask": ("GET", "/api/tasks/{task}", None, _OWNER),
    "cancelTask": ("DELETE", "/api/tasks/{waiting}", None, _OWNER),
    "getTaskLogs": ("GET", "/api/tasks/{task}/logs", None, _OWNER),
    "listFiles": ("GET", "/api/files?user_id=a", None, _CLIENTS),
    "getTaskFiles": ("GET", f"{_FILES}?user_id=a", None, _OWNER),
    "downloadFile": ("GET", f"{_FILES}/download/out/x?user_id=a", None, _OWNER),
    "deleteTaskFiles": ("DELETE", f"{_FILES}?user_id=a", None, _OWNER),
    "retryTask": ("PUT", "/api/tasks/{failed}/retry", None, _OWNER),  # the last: its task is waiting then
}


def test_the_table_names_every_operation(world: World) -> None:
    assert TABLE.keys() == {operation.id for operation in world.dialect("required").operations}


@pytest.mark.parametrize("caller", CALLERS)
async def test_who_may_do_what(world: World, caller: str | None) -> None:
    await world.ready()
    for operation, (method, template, body, allowed) in TABLE.items():
        path = template
        for placeholder, value in (await _known(world, caller)).items():
            path = path.replace(placeholder, value)
        status = (await world.call(method, path, caller, body, prefix="/cloudai")).status_code
        if caller in allowed:
            assert status < 300, operation
        elif caller in (None, "garbage"):
            assert status == 401, operation
        else:
            assert status == (404 if allowed is _OWNER and caller in _CLIENTS else 403), operation


async def _known(world: World, caller: str | None) -> dict[str, str]:
    """Tasks of `a` in each state, and what the caller calls the worker."""
    failed, grant = await world.running()
    await world.fail(grant)
    task_id, grant = await world.running()
    await world.upload(grant, "out/x")
    await world.end(grant)
    waiting = await world.submit(**_LARGE)
    await world.register("worker-3")
    # one tenant's worker goes by its name there, and by its core id for others
    server = grant.server_id if caller == "foreign" else WORKER
    return {"{task}": task_id, "{failed}": failed, "{waiting}": waiting, "{server}": server}


async def test_clients_see_their_own_tasks_only_an_admin_all(world: World) -> None:
    await world.ready()
    mine, _ = await world.running("a")
    other, _ = await world.running("b")
    for caller, ids in (("a", [mine]), ("b", [other]), ("foreign", []), ("admin", [other, mine])):
        assert [task["task_id"] for task in (await world.read("/tasks", caller))["tasks"]] == ids
        if caller != "foreign":
            running = await world.read(f"/workers/{WORKER}", caller)
            assert [task["task_id"] for task in running["running_tasks"]] == ids
            assert [task["task_id"] for task in (await world.read(f"/workers/{WORKER}/tasks", caller))["tasks"]] == ids
            (listed,) = (await world.read("/workers", caller))["workers"]
            assert (listed["running_tasks_count"], listed["allocated_resources"]["cpu"]) == (2, 2.0)


async def test_a_worker_of_another_tenant_or_api_goes_by_its_core_id(world: World) -> None:
    registered = await world.register()
    world.tokens["other admin"] = world.issue("root", ["admin"], tenant="other")
    second = await world.register(caller="other admin")
    assert registered["server_id"] != second["server_id"]
    names = [worker["worker_id"] for worker in (await world.read("/workers", "a"))["workers"]]
    assert names == [WORKER, second["server_id"]]
    assert (await world.read(f"/workers/{second['server_id']}", "a"))["worker_id"] == second["server_id"]
    own = await world.call("GET", f"/workers/{registered['server_id']}", "a")
    assert own.status_code == 404, "a worker has one name"


async def test_the_token_of_a_worker_is_its_agents(world: World) -> None:
    registered = await world.register()
    world.tokens["agent"] = registered["server_token"]
    path = f"/api/servers/{registered['server_id']}/heartbeat"
    assert (await world.call("POST", path, "agent", {}, prefix="")).status_code == 200
    assert (await world.call("GET", "/tasks", "agent")).status_code == 403


@pytest.mark.parametrize("caller", [None, "garbage", "worker", "b", "foreign"])
async def test_the_log_of_somebody_else_is_not_shown(world: World, caller: str | None) -> None:
    task_id = await world.submit()
    socket = world.socket(f"/ws/tasks/{task_id}/logs", caller)
    await socket.opened()
    if caller is None:
        socket.send({"type": "auth", "token": world.tokens["garbage"]})
    heard = await socket.hear()
    assert (heard["type"], heard["task_id"]) == ("error", task_id)
    assert (heard["error"] == "Client role required") is (caller == "worker")
    with pytest.raises(Closed) as closed:
        await socket.hear()
    assert closed.value.code == 1008


async def test_a_browser_brings_its_token_in_the_first_message(world: World) -> None:
    async with world.connected("/ws/telemetry", None) as socket:
        socket.send({"type": "auth", "token": world.tokens["worker"]})
        assert await socket.hear() == {"type": "ready"}
        assert await socket.hear() == {"workers": {}}


async def test_without_authentication_everybody_may_do_everything_there(open_world: OpenWorld) -> None:
    world = open_world(cloudai={"auth": "none"})
    await world.register(caller="garbage")
    task_id = (await world.call("POST", "/tasks", None, TASK)).json()["task_id"]
    assert (await world.task(task_id, "b"))["user_id"] == "guest"
    async with world.connected(f"/ws/tasks/{task_id}/logs", None) as socket:
        assert (await socket.hear())["user_id"] == "guest"
    async with world.connected("/ws/telemetry", None) as socket:
        assert WORKER in (await socket.hear())["workers"]
        await world.settle()
        assert socket.silent, "it stays open"
    assert (await world.call("GET", "/api/tasks", None, prefix="")).status_code == 401, "the native API is closed"


async def test_a_listener_has_a_door_of_its_own(open_world: OpenWorld) -> None:
    world = open_world(listeners=[{"dialect": "cloudai", "port": 8081, "auth": "none"}])
    door = world.listener(0)
    assert (await door.get("/api/tasks")).status_code == 200
    assert (await door.get("/cloudai/api/tasks")).status_code == 404
    assert (await world.call("GET", "/tasks", None)).status_code == 401
    async with world.connected("/ws/telemetry", None, app=world.gateway.apps[0]) as socket:
        assert await socket.hear() == {"workers": {}}


async def test_there_is_no_limit_unless_one_is_set(open_world: OpenWorld) -> None:
    unlimited = open_world()
    answers = [await unlimited.call("POST", "/tasks", body=TASK) for _ in range(60)]
    assert {answer.status_code for answer in answers} == {201}
    world = open_world(cloudai={"submits": 2, "requests": 2})
    answers = [await world.call("POST", "/tasks", body=TASK) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert answers[2].headers["Retry-After"]
    assert [(await world.call("GET", "/tasks")).status_code for _ in range(2)] == [200, 200]
    socket = world.socket("/ws/telemetry")
    await socket.opened()
    assert "error" in await socket.hear()
    with pytest.raises(Closed) as closed:
        await socket.hear()
    assert closed.value.code == 1008
