"""Every operation of the registry under every kind of caller."""

import itertools

import pytest

from dispatcher.dialects.operation import Operation
from dispatcher.domain.principal import Role
from tests.dialects.native.world import World

CALLERS = ("none", "garbage", "client-a", "client-b", "own server", "other server", "admin")

# what a caller with a good token may not do, beside what the registry says of roles: things that are not theirs
_SOMEBODY_ELSES = {
    "getTask": ("client-b", "own server", "other server"),
    "deleteTask": ("client-b",),
    "retryTask": ("client-b",),
    "cancelTask": ("client-b",),
    "pauseTask": ("client-b",),
    "resumeTask": ("client-b",),
    "readLog": ("client-b", "own server", "other server"),
    "followLog": ("client-b", "own server", "other server"),
    "listFiles": ("client-b", "own server", "other server"),
    "downloadFile": ("client-b", "own server", "other server"),
    "deleteFile": ("client-b",),
}
NOT_THEIRS = {(operation, caller) for operation, callers in _SOMEBODY_ELSES.items() for caller in callers}
# who may do what, written out: the registry must agree with it
_PUBLIC, _CLIENTS, _ADMIN = set(CALLERS), {"client-a", "client-b", "admin"}, {"admin"}
_ANY, _ITSELF = set(CALLERS[2:]), {"own server", "admin"}
EXPECTED = {
    "health": _PUBLIC,
    "ready": _PUBLIC,
    "alive": _PUBLIC,
    "tick": _ADMIN,
    "createTask": _CLIENTS,
    "deleteTask": _CLIENTS,
    "retryTask": _CLIENTS,
    "cancelTask": _CLIENTS,
    "pauseTask": _CLIENTS,
    "resumeTask": _CLIENTS,
    "getTask": _ANY,
    "listTasks": _ANY,
    "updateTask": {"own server", "other server", "admin"},
    "appendLog": {"own server", "other server", "admin"},
    "readLog": _ANY,
    "followLog": _ANY,
    "uploadFile": {"own server", "other server", "admin"},
    "listFiles": _ANY,
    "downloadFile": _ANY,
    "deleteFile": _CLIENTS,
    "registerServer": _ADMIN,
    "listServers": _ADMIN,
    "getServer": _ITSELF,
    "unregisterServer": _ITSELF,
    "serverHeartbeat": _ITSELF,
    "setMaintenance": _ITSELF,
    "claimTask": _ITSELF,
    "getServerMetrics": _ITSELF,
    "getServerTelemetry": _ITSELF,
    "restartServer": _ADMIN,
    "listModels": _ADMIN,
    "assignModel": _ADMIN,
    "unloadModel": _ADMIN,
    "rebalanceModels": _ADMIN,
    "getOperation": _ADMIN,
    "getTaskStats": _ANY,
    "getHourlyReport": _ANY,
    "getServerStats": _ANY,
    "getLoadBalancer": _ANY,
    "setLoadBalancerAlgorithm": _ADMIN,
}


# let in, and then told that the pushed server of the test cannot do it, or that there is no such thing; begun
NOTHING_THERE = {
    "restartServer": 409, "assignModel": 404, "unloadModel": 404, "getOperation": 404, "rebalanceModels": 202,
}  # fmt: skip
REPORTS = ("updateTask", "appendLog", "uploadFile")
OF_A_FILE = ("listFiles", "downloadFile", "deleteFile")
OF_A_RUNNING_TASK = (*REPORTS, *OF_A_FILE, "getTask", "readLog", "followLog")


async def test_the_table_names_every_operation(world: World) -> None:
    assert EXPECTED.keys() == {operation.id for operation in world.dialect.operations}


async def _ask(world: World, operation: Operation, caller: str) -> int:
    """The operation on a task of client a, or on its server, in a state that allows it."""
    server_id = await world.register()
    other_id = await world.register(capabilities=["other"], groups=["other"])
    task_id = await world.create(capabilities=[]) if operation.id in OF_A_RUNNING_TASK else "task_x"
    if operation.id in ("deleteTask", "retryTask", "cancelTask", "pauseTask", "resumeTask"):
        task_id = await world.create(group="nowhere", deadline=world.clock.now_ms() + 1000)
        if operation.id == "deleteTask":
            await world.call("POST", f"/api/task/{task_id}/cancel")
        if operation.id == "retryTask":
            world.clock.advance(1001)
            await world.duties.run()
    if operation.id == "claimTask":
        server_id = await world.register(transport="pull", endpoints=None, groups=["far"])
        await world.create(group="far")
    if operation.id == "followLog":  # it has an end
        await world.report(task_id, status="COMPLETED")
    if operation.id in OF_A_FILE:
        await world.call("PUT", f"/api/task/{task_id}/files/f", "admin", raw=b"x")
    if operation.id in REPORTS:
        server_id = world.backend_of(task_id)
        other_id = other_id if other_id != server_id else (await world.register())
    tokens = {
        "none": None,
        "own server": world.tokens.server(server_id),
        "other server": world.tokens.server(other_id),
    }
    path = operation.path.replace("{id}", task_id if "/task/" in operation.path else server_id)
    path = path.replace("{path:path}", "f")
    body = {"status": "PROCESSING"} if operation.id == "updateTask" else None
    if body is None and operation.request is not None and operation.example is not None:
        body = dict(operation.example.request or {})
    return (await world.call(operation.method, path, tokens.get(caller, caller), body)).status_code


@pytest.mark.parametrize(("name", "caller"), list(itertools.product(EXPECTED, CALLERS)))
async def test_who_may_do_what(world: World, name: str, caller: str) -> None:
    operation = next(o for o in world.dialect.operations if o.id == name)
    status = await _ask(world, operation, caller)
    if caller in EXPECTED[name]:
        if (name, caller) in NOT_THEIRS:
            expected = 404
        elif name in REPORTS and caller == "other server":
            expected = 403  # it never held the task
        else:
            expected = NOTHING_THERE.get(name, 200)
    else:
        expected = 401 if caller in ("none", "garbage") else 403
    assert status == expected


async def test_the_refusals_read_as_documented(world: World) -> None:
    unknown = await world.call("GET", "/api/tasks", None)
    assert unknown.json() | {"requestId": ""} == {
        "error": "Unauthorized", "details": "Invalid or expired token", "code": "UNAUTHORIZED", "requestId": "",
    }  # fmt: skip
    refused = await world.call("GET", "/api/servers")
    assert (refused.json()["error"], refused.json()["details"]) == ("Forbidden", "Admin role required")


async def test_a_server_token_is_good_for_its_own_server_only(world: World) -> None:
    pull = {"transport": "pull", "endpoints": None}
    mine, other = await world.register(**pull), await world.register(**pull)
    token = world.tokens.server(mine)
    for method, path, body in (
        ("POST", "/heartbeat", {}),
        ("POST", "/maintenance", {"maintenance": True}),
        ("GET", "/metrics", None),
        ("POST", "/claim", {}),
        ("DELETE", "", None),
    ):
        answer = await world.call(method, f"/api/servers/{other}{path}", token, body)
        assert (answer.status_code, answer.json()["details"]) == (403, "Admin role required")
        assert (await world.call(method, f"/api/servers/{mine}{path}", token, body)).status_code in (200, 204)


async def test_a_callback_token_is_good_for_its_task_only(world: World) -> None:
    await world.register()
    one, two = await world.create(), await world.create()
    token = world.backend.callback(one)
    assert (await world.call("PUT", f"/api/task/{two}", token, {"progress": 1})).status_code == 401
    assert (await world.call("GET", f"/api/task/{one}", token)).status_code == 401
    forged = token[:-1] + ("a" if token[-1] != "a" else "b")
    assert (await world.call("PUT", f"/api/task/{one}", forged, {"progress": 1})).status_code == 409
    header = {"X-Callback-Token": "x"}
    assert (await world.call("PUT", f"/api/task/{one}", "admin", {"progress": 1}, header)).status_code == 401


async def test_a_server_role_without_a_server_is_nobody(world: World) -> None:
    await world.register()
    task_id = await world.create()
    token = world.tokens.add("stray", "stray", Role.SERVER)
    assert (await world.call("PUT", f"/api/task/{task_id}", token, {"progress": 1})).status_code == 403


async def test_an_expired_token_and_one_in_the_query(world: World) -> None:
    token = world.tokens.add("short", "a", Role.CLIENT, life_ms=1000)
    assert (await world.call("GET", "/api/tasks", token)).status_code == 200
    assert (await world.call("GET", "/api/tasks?token=x", token)).status_code == 401
    world.clock.advance(1000)
    assert (await world.call("GET", "/api/tasks", token)).status_code == 401
