"""Workers that came through a door without tokens get what came through the same door, and no other's tasks."""

from dataclasses import replace
from typing import Any

import pytest

from dispatcher.domain.failure import Outcome, Verdict
from dispatcher.domain.reporter import ByHolder
from tests.dialects.cloudai.world import TOTAL
from tests.dialects.open_doors.world import NAME, Foreign, World


async def test_workers_of_cloudai_without_a_token_get_no_tasks_of_others(world: World, foreign: Foreign) -> None:
    before, worker = await foreign.now(), await world.register()
    path = f"/api/servers/{worker['server_id']}/socket"
    socket = world.socket(world.gateway.asgi, path, authorization=f"Bearer {worker['server_token']}")
    await socket.opened()
    assert (await socket.hear())["type"] == "welcome"
    more = {"resources": {"cpu": 64, "memoryMB": 65_536, "storageMB": 65_536}, "maxConcurrent": 8}
    kinds = ["predict", "process", "docker", "model"]
    socket.send({"type": "hello", "kinds": kinds, **more})
    socket.send({"type": "ready", "slots": 8})
    for tasks in foreign.tasks.values():  # a forged report
        for task_id in tasks:
            socket.send({"type": "result", "taskId": task_id, "attempt": 1, "status": "COMPLETED", "result": "forged"})
            ack = await socket.hear()
            assert (ack["type"], ack["accepted"]) == ("ack", False)
    await world.settle()
    assert socket.silent
    assert await foreign.now() == before
    async with world.events():
        mine = await world.submit("cloudai", world.doors["cloudai"])
        assert (await socket.hear())["task"]["taskId"] == mine
    await socket.drop()


async def test_executors_without_a_token_get_no_jobs_of_others(world: World, foreign: Foreign) -> None:
    before, door = await foreign.now(), world.doors["jobs"]
    claim = {"executor_id": NAME}
    assert (await door.post("/api/v1/jobs/claim", json=claim)).status_code == 204
    running, _ = foreign.tasks["jobs"]
    for end in ("heartbeat", "complete", "fail"):
        body = {**claim, "exit_code": 0, "error_message": "forged", "stdout": "", "stderr": ""}
        answer = await door.put(f"/api/v1/jobs/{running}/{end}", json=body)
        assert not answer.is_success, answer.text
    assert await foreign.now() == before
    mine = await world.submit("jobs", door)
    assert (await door.post("/api/v1/jobs/claim", json=claim)).json()["id"] == mine


async def test_farm_clients_without_a_token_get_no_tasks_of_others(world: World, foreign: Foreign) -> None:
    before = await foreign.now()
    socket = world.socket(world.apps["farm"], "/", client_id=NAME)
    await socket.opened()
    socket.say("heartbeat", system_info={}, resources={"cpu": {"cores": 64}, "ram": {"total": 9_999}})
    socket.say("task_request")
    socket.say("task_result", task_id=foreign.tasks["farm"][0], status="completed")
    said = [await socket.hear()]
    assert (said[0]["type"], said[0]["received"]) == ("task_result_ack", False)
    await world.settle()
    assert socket.silent
    assert await foreign.now() == before
    async with world.events():
        mine = await world.submit("farm", world.doors["farm"])
        assert (await socket.hear())["data"]["id"] == mine
    await socket.drop()


async def _failed(world: World, server_id: str, task_id: str) -> None:
    grant = await world.services.workers.claim(server_id, lease_ms=60_000)
    assert grant is not None
    assert grant.task_id == task_id
    by, outcome = ByHolder(server_id, grant.fence), Outcome(Verdict.FAILED, code="X", text="no")
    await world.services.tasks.report(task_id, origin="cloudai", by=by, outcome=outcome, progress=None)


async def test_a_retry_is_for_the_workers_of_the_first_try_whoever_asks_for_it(world: World) -> None:
    known, nobodys = [(await world.register(door=door))["server_id"] for door in (False, True)]
    for server_id in (known, nobodys):
        server = await world.services.servers.get(server_id)
        await world.services.servers.reoffer(server_id, replace(server.offer, resources=TOTAL))
    first = await world.submit("cloudai")
    await _failed(world, known, first)
    again = await world.doors["cloudai"].put(f"/api/tasks/{first}/retry")
    assert await world.services.workers.claim(nobodys, lease_ms=60_000) is None
    await _failed(world, known, again.json()["new_task_id"])
    first = await world.submit("cloudai", world.doors["cloudai"])
    await _failed(world, nobodys, first)
    again = await world.call("PUT", f"/cloudai/api/tasks/{first}/retry", "admin")
    await _failed(world, nobodys, again.json()["new_task_id"])


@pytest.mark.parametrize("door", [False, True])
async def test_a_token_ends_with_the_registration_that_it_came_with(world: World, door: bool) -> None:
    async def beats(worker: dict[str, Any]) -> int:
        world.tokens["agent"] = worker["server_token"]
        path = f"/api/servers/{worker['server_id']}/heartbeat"
        return (await world.call("POST", path, "agent", {})).status_code

    async def opens(worker: dict[str, Any]) -> str:
        path = f"/api/servers/{worker['server_id']}/socket"
        socket = world.socket(world.gateway.asgi, path, authorization=f"Bearer {worker['server_token']}")
        await socket.opened()
        said = await socket.hear()
        await socket.drop()
        return str(said.get("code", said["type"]))

    first = await world.register(door)
    second = await world.register(door)
    assert [await beats(first), await opens(first), await beats(second)] == [200, "welcome", 200]
    await world.services.servers.unregister(first["server_id"])
    assert await beats(first) == 404
    third = await world.register(door)
    assert third["server_id"] == first["server_id"]
    assert [await beats(first), await opens(first)] == [401, "UNAUTHORIZED"]
    assert [await beats(third), await opens(third)] == [200, "welcome"]
