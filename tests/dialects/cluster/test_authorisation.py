"""Every operation of the cluster under every kind of caller: tokens, API keys, none."""

from typing import Any

import pytest

from dispatcher.domain.principal import Role
from tests.dialects.cluster.world import TASK, OpenWorld, World

CALLERS = (None, "garbage", "a", "b", "foreign", "worker", "admin", "key of a client", "key of an admin", "revoked")
ANYBODY = {"a", "b", "foreign", "worker", "admin", "key of a client", "key of an admin"}
CLIENTS = ANYBODY - {"worker"}
OWNERS = {"a", "admin", "key of an admin"}
ADMINS = {"admin", "key of an admin"}
MODEL: dict[str, Any] = {"model_name": "llama", "worker_ids": ["worker-001"]}
# operation -> method, path, body, who may
TABLE: dict[str, tuple[str, str, Any, set[str]]] = {
    "health": ("GET", "/health", None, ANYBODY),
    "clusterStatus": ("GET", "/cluster/status", None, ANYBODY),
    "listWorkers": ("GET", "/workers", None, ANYBODY),
    "getWorker": ("GET", "/workers/worker-001", None, ANYBODY),
    "restartWorker": ("POST", "/workers/worker-001/restart", None, ADMINS),
    "submitTask": ("POST", "/tasks", TASK, CLIENTS),
    "listTasks": ("GET", "/tasks", None, CLIENTS),
    "getTask": ("GET", "/tasks/{task}", None, OWNERS),
    "cancelTask": ("DELETE", "/tasks/{task}", None, OWNERS),
    "assignModel": ("POST", "/models/assign", MODEL | {"preload": False}, ADMINS),
    "unloadModel": ("POST", "/models/unload", MODEL, ADMINS),
    "listModelAssignments": ("GET", "/models/assignments", None, ANYBODY),
    "rebalanceCluster": ("POST", "/cluster/rebalance", {"dry_run": True}, ADMINS),
    "clusterMetrics": ("GET", "/cluster/metrics", None, ANYBODY),
}


@pytest.fixture
async def callers(world: World) -> World:
    """The world with keys for the callers that have one."""
    await world.key("key of a client", Role.CLIENT)
    await world.key("key of an admin", Role.ADMIN)
    await world.store.keys.revoke(await world.key("revoked", Role.ADMIN))
    await world.worker()
    return world


def test_the_table_names_every_operation(world: World) -> None:
    assert TABLE.keys() == {operation.id for operation in world.dialect("required").operations}


@pytest.mark.parametrize("caller", CALLERS)
async def test_who_may_do_what(callers: World, caller: str | None) -> None:
    world = callers
    for operation, (method, path, body, allowed) in TABLE.items():
        task_id = await world.submit()
        answer = await world.call(method, path.replace("{task}", task_id), caller, body)
        if caller in allowed:
            assert answer.status_code == 200, operation
            continue
        nobody = caller in (None, "garbage", "revoked")
        refused = 401 if nobody else 404 if allowed is OWNERS and caller in CLIENTS else 403
        assert answer.status_code == refused, operation
        assert (await world.get(f"/tasks/{task_id}", "admin"))["status"] == "queued", operation
    if caller not in ADMINS:
        assert await world.store.commands.pending("worker-001") == []


async def test_lists_hold_ones_own(callers: World) -> None:
    world = callers
    await world.submit("a")
    await world.submit("foreign")
    await world.submit("key of a client")
    for caller, total in (("a", 1), ("b", 0), ("foreign", 1), ("key of a client", 1), ("admin", 3)):
        assert (await world.get("/tasks", caller))["total"] == total, caller


async def test_a_key_ends(world: World) -> None:
    await world.key("k", Role.CLIENT, ttl_ms=60_000)
    await world.get("/tasks", "k")
    world.clock.advance(60_000)
    await world.get("/tasks", "k", 401)


async def test_a_key_is_for_this_api_alone(callers: World) -> None:
    for path in ("/api/servers", "/jobs/api/v1/jobs", "/farm/api/tasks"):
        answer = await callers.call("GET", path, "key of an admin", prefix="")
        assert answer.status_code == 401, path


async def test_keys_with_something_changed_are_refused(callers: World) -> None:
    good = callers.tokens["key of an admin"]
    _, key_id, secret = good.split("_")
    for bad in (good[:-1], f"{good}0", f"edk_{key_id}", f"edk_{'0' * 16}_{secret}", good.upper(), "edk_", f"x{good}"):
        callers.tokens["bad"] = bad
        await callers.get("/tasks", "bad", 401)


async def test_health_may_be_public(open_world: OpenWorld) -> None:
    world = open_world(cluster={"public_health": True})
    assert (await world.call("GET", "/health", None)).status_code == 200
    assert (await world.call("GET", "/cluster/status", None)).status_code == 401


async def test_a_listener_has_a_door_of_its_own(open_world: OpenWorld) -> None:
    world = open_world(
        listeners=[{"dialect": "cluster", "port": 8000, "auth": "none"}, {"dialect": "cluster", "port": 8001}]
    )
    for path in ("/health", "/cluster/status", "/status", "/cluster/metrics", "/metrics"):
        assert (await world.listener(0).get(path)).status_code == 200, path
        assert (await world.listener(1).get(path)).status_code == 401, path
    assert (await world.call("GET", "/cluster/status", None)).status_code == 401
    await world.get("/status")
