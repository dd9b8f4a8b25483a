"""Telemetry, models and operations over HTTP."""

from typing import Any

import pytest

from dispatcher.domain.command import CommandState
from dispatcher.domain.lane import Offer
from dispatcher.domain.resources import Resources
from dispatcher.domain.server import Endpoints, NewServer, Transport
from tests.dialects.native.world import START_MS, World

GB = 1 << 30


@pytest.fixture
async def agents(world: World) -> World:
    """The world with two workers that keep a control channel."""
    for name in ("agent_1", "agent_2"):
        offer = Offer(frozenset({"model"}), resources=Resources(memory=24 * GB))
        await world.store.servers.put(NewServer(name, "native", name, Endpoints(), offer, transport=Transport.SOCKET))
    return world


async def ask(world: World, method: str, path: str, body: object = None) -> Any:
    answer = await world.call(method, path, "admin", body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def does(world: World, server_id: str, state: CommandState = CommandState.DONE, detail: str = "{}") -> None:
    command = (await world.store.commands.pending(server_id))[0]
    await world.services.commands.report(server_id, command.id, state, detail)


async def test_telemetry_since_a_time(world: World) -> None:
    server_id = await world.register()
    for cpu in (10, 20.5):
        metrics = {"cpu": cpu, "gpus": [{"model": "A"}], "other": 1}
        await ask(world, "POST", f"/api/servers/{server_id}/heartbeat", {"metrics": metrics})
        world.clock.advance(5_000)
    told = await ask(world, "GET", f"/api/servers/{server_id}/telemetry")
    first = {"at": START_MS, "cpu": 10.0, "memory": None, "gpu": None, "gpus": [{"model": "A"}]}
    assert told == {"serverId": server_id, "samples": [first, first | {"at": START_MS + 5_000, "cpu": 20.5}]}
    later = await ask(world, "GET", f"/api/servers/{server_id}/telemetry?since={START_MS}")
    assert later["samples"] == told["samples"][1:]
    unknown = await world.call("GET", "/api/servers/server_none/telemetry", "admin")
    assert unknown.status_code == 404


async def test_a_model_is_assigned_loaded_and_unloaded(agents: World) -> None:
    body = {"model": "llama", "servers": ["agent_1", "agent_2"], "priority": 8}
    assigned = await ask(agents, "POST", "/api/models/assign", body)
    loading = {"model": "llama", "serverId": "agent_1", "status": "loading", "memory": 24 * GB, "loadTime": None}
    assert assigned["models"][0] == loading | {"lastUsed": None}
    await does(agents, "agent_1", detail=f'{{"memory_bytes": {6 * GB}, "load_ms": 45000}}')
    await does(agents, "agent_2", CommandState.FAILED, "no such file")
    operation = await ask(agents, "GET", f"/api/operations/{assigned['assignmentId']}")
    assert (operation["kind"], operation["state"], operation["error"]) == ("load", "failed", "no such file")
    assert [(step["state"], step.get("error")) for step in operation["steps"]] == [
        ("done", None), ("failed", "no such file"),
    ]  # fmt: skip
    listed = (await ask(agents, "GET", "/api/models?model=llama"))["models"]
    assert [(m["status"], m["memory"], m["loadTime"], m.get("error")) for m in listed] == [
        ("loaded", 6 * GB, 45_000, None), ("failed", 0, None, "no such file"),
    ]  # fmt: skip
    await ask(agents, "POST", "/api/models/unload", {"model": "llama", "servers": ["agent_1"]})
    await does(agents, "agent_1")
    assert [m["serverId"] for m in (await ask(agents, "GET", "/api/models"))["models"]] == ["agent_2"]


async def test_a_restart_is_an_operation(agents: World) -> None:
    await ask(agents, "POST", "/api/servers/agent_1/heartbeat", {"bootId": "b1"})
    answer = await agents.call("POST", "/api/servers/agent_1/restart", "admin")
    begun = answer.json()
    assert answer.headers["Location"] == f"/api/operations/{begun['id']}"
    assert (begun["kind"], begun["state"], begun["actor"], begun["endedAt"]) == (
        "restart", "running", "default/root", None,
    )  # fmt: skip
    again = await agents.call("POST", "/api/servers/agent_1/restart", "admin")
    assert (again.status_code, again.json()["code"]) == (409, "OPERATION_RUNNING")
    await ask(agents, "POST", "/api/servers/agent_1/heartbeat", {"bootId": "b2"})
    await agents.services.operations.run_once()
    assert (await ask(agents, "GET", f"/api/operations/{begun['id']}"))["state"] == "done"


async def test_a_pushed_server_cannot_be_told(agents: World) -> None:
    server_id = await agents.register()
    for path, body in (
        (f"/api/servers/{server_id}/restart", None),
        ("/api/models/assign", {"model": "m", "servers": ["agent_1", server_id]}),
        ("/api/models/unload", {"model": "m", "servers": [server_id]}),
    ):
        answer = await agents.call("POST", path, "admin", body)
        assert (answer.status_code, answer.json()["code"]) == (409, "NO_CONTROL_CHANNEL")
    assert (await ask(agents, "GET", "/api/models"))["models"] == []
