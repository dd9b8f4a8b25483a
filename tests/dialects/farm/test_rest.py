"""Tasks, clients and metrics over REST."""

from typing import Any

import pytest

from dispatcher.dialects.farm.clients import core_id
from dispatcher.domain.server import Server
from tests.dialects.farm.conftest import OpenWorld
from tests.dialects.farm.world import CLIENT, NOBODY, TASK, World


async def test_config_is_what_is_not_the_gateways_business(world: World) -> None:
    task_id = await world.create(
        url="http://m/x", version=None, extra={"a": [1, None]}, rank=7, requirements={"min_ram": None, "other": 1}
    )
    task = await world.task(task_id)
    assert task["config"] == {"name": "model_name", "url": "http://m/x", "extra": {"a": [1, None]}, "rank": 7}
    assert task["requirements"] == {"min_gpu_memory": 0, "min_cpu_cores": 1, "min_ram": 0}
    assert (task["reason"], task["checkpoint_path"], task["error"], task["attempt"]) == (None, None, None, 0)


async def test_a_create_can_be_repeated_with_a_key(world: World) -> None:
    key = {"Idempotency-Key": "k"}
    first, second = [await world.call("POST", "/tasks", body=TASK, headers=key) for _ in range(2)]
    assert first.json() == second.json()
    assert first.headers["Location"] == f"/farm/api/tasks/{first.json()['id']}"
    other = await world.call("POST", "/tasks", body={**TASK, "epochs": 2}, headers=key)
    assert (other.status_code, other.json()["error"]["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")


async def test_a_list_is_paged_newest_first(world: World) -> None:
    ids = [await world.create(type="odd" if place % 2 else "even") for place in range(25)]
    answer = await world.call("GET", "/tasks?type=odd&page=2&limit=5")
    assert [task["id"] for task in answer.json()["tasks"]] == ids[13:4:-2]
    assert (answer.json()["total"], answer.json()["page"]) == (12, 2)
    assert (answer.headers["X-Total-Count"], answer.headers["X-Page-Count"]) == ("12", "3")
    url = "http://gateway/farm/api/tasks?type=odd"
    assert answer.headers["Link"].split(", ") == [
        f'<{url}&page=1&limit=5>; rel="first"',
        f'<{url}&page=1&limit=5>; rel="prev"',
        f'<{url}&page=3&limit=5>; rel="next"',
        f'<{url}&page=3&limit=5>; rel="last"',
    ]
    default = await world.call("GET", "/tasks")
    assert (len(default.json()["tasks"]), default.json()["page"]) == (10, 1)
    beyond = await world.call("GET", "/tasks?page=9&limit=1000")
    assert (beyond.json()["tasks"], beyond.headers["X-Page-Count"]) == ([], "1")
    assert '&limit=100>; rel="prev"' in beyond.headers["Link"]
    assert (await world.call("GET", "/tasks?status=running")).headers["X-Page-Count"] == "0"


@pytest.mark.parametrize(
    ("host", "public_url", "link"),
    [
        ("farm.example.com:8765", "", "<http://farm.example.com:8765/farm/api/clients?"),
        ("farm.example.com", "https://api/", "<https://api/api/clients?"),
        ('x>; rel="evil"', "", "</farm/api/clients?"),
    ],
)
async def test_links_are_absolute(open_world: OpenWorld, host: str, public_url: str, link: str) -> None:
    world = open_world(farm={"public_url": public_url})
    async with world.connected():
        answer = await world.call("GET", "/clients", headers={"Host": host})
    assert answer.headers["Link"].startswith(link)


async def test_status_can_be_changed_as_documented_and_no_other_way(world: World) -> None:
    async def refused(status: str) -> str:
        answer = await world.put(task_id, status)
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "CONFLICT"), answer.text
        return str(answer.json()["error"]["details"].get("reason"))

    task_id = await world.create()
    for status in ("running", "pending", "completed", "failed"):
        await refused(status)
    assert (await world.put(task_id, "paused")).json()["status"] == "paused"
    assert (await world.put(task_id, "paused")).status_code == 200
    await refused("pending")
    assert (await world.put(task_id, "running")).json()["status"] == "pending"
    assert (await world.put(task_id, "cancelled")).json()["status"] == "stopped"
    assert (await world.put(task_id, "stopped")).status_code == 200
    for status in ("running", "pending", "paused", "completed", "failed"):
        await refused(status)
    async with world.connected() as socket:
        task_id = await world.given(socket)
        await refused("pending")
        socket.say("task_result", task_id=task_id, status="failed", error="no memory", checkpoint_path="/shared/1")
        await socket.hear()
        for status in ("running", "paused", "stopped", "completed", "failed"):
            assert await refused(status) in ("ILLEGAL_STATE", "None")
        assert (await world.task(task_id))["error"] == "no memory"
        assert (await world.put(task_id, "pending")).json()["status"] == "pending"
        assert (await world.task(task_id))["error"] is None
        socket.say("task_request")
        assert (await socket.hear())["data"]["config"]["checkpoint_path"] == "/shared/1"


async def test_a_removed_task_is_gone(world: World) -> None:
    task_id = await world.create()
    assert [(await world.call("DELETE", f"/tasks/{task_id}")).status_code for _ in range(2)] == [204, 404]
    async with world.connected() as socket:
        done = await world.given(socket)
        socket.say("task_result", task_id=done, status="completed")
        await socket.hear()
    assert (await world.call("DELETE", f"/tasks/{done}")).status_code == 204


async def test_metrics_of_a_task_with_its_history(world: World) -> None:
    async with world.connected() as socket:
        task_id = await world.given(socket)
        await world.reported(socket, task_id, 10, metrics={"loss": 2})
        world.clock.advance(1_000)
        socket.say("task_result", task_id=task_id, status="completed", metrics={"final_loss": 1})
        await socket.hear()
    answer = (await world.call("GET", f"/metrics/tasks/{task_id}?history=5")).json()
    assert answer["metrics"] == {"loss": 2, "final_loss": 1}
    assert answer["resources"] == {"cpu_usage": 0, "ram_usage": 0, "gpu_usage": 0}
    point = {"progress": 10, "metrics": {"loss": 2}, "rank": 0, "timestamp": "2024-11-04T12:00:00Z"}
    assert answer["history"] == [point]
    assert "history" not in (await world.call("GET", f"/metrics/tasks/{task_id}")).json()


async def test_system_metrics_count_what_the_caller_sees(world: World) -> None:
    async with world.connected() as socket, world.connected("two") as two, world.connected("x", caller="elsewhere"):
        done = await world.given(socket)
        socket.say("task_result", task_id=done, status="completed")
        await socket.hear()
        await world.given(socket)
        await world.create()
        await world.create("foreign")
        socket.say("heartbeat", system_info={"cpu_usage": 10, "ram_usage": 20, "gpu_usage": 30})
        two.send({"type": "heartbeat", "system_info": {"cpu_usage": 20, "ram_usage": 30, "gpu_usage": 400}})
        await world.settle()
        mine = (await world.call("GET", "/metrics")).json()
        assert mine["clients"] == {"total": 2, "active": 2}
        zeros = {"paused": 0, "failed": 0, "stopped": 0}
        assert mine["tasks"] == {"total": 3, "pending": 1, "running": 1, "completed": 1, **zeros}
        assert mine["resources"] == {"cpu_usage": 15, "ram_usage": 25, "gpu_usage": 65}
        everything = (await world.call("GET", "/metrics", "admin")).json()
        assert (everything["clients"]["total"], everything["tasks"]["total"]) == (3, 4)


async def test_a_client_and_what_it_did(world: World) -> None:
    async with world.connected() as socket:
        for status in ("completed", "completed", "failed"):
            task_id = await world.given(socket)
            world.clock.advance(1_500)
            socket.say("task_result", task_id=task_id, status=status)
            await socket.hear()
        client = (await world.call("GET", f"/clients/{CLIENT}")).json()
    assert client["resources"] == {"cpu": {"cores": 0, "usage": 0}, "ram": {"total": 0, "used": 0}, "gpu": []}
    assert (client["performance"]["completed_tasks"], client["tasks"]) == (2, [])
    assert client["performance"]["average_time"] == 1.5
    assert client["performance"]["success_rate"] == pytest.approx(2 / 3)


async def test_a_client_is_found_without_looking_at_all(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def all_of_them() -> list[Server]:
        raise AssertionError("as many reads as there are clients")

    async with world.connected(caller="elsewhere"), world.connected() as socket:
        await world.given(socket)
        server_id = core_id("default", CLIENT)
        elsewhere = (await world.call("GET", f"/clients/{CLIENT}", "foreign")).json()
        monkeypatch.setattr(world.store.servers, "all", all_of_them)
        task_id = (await world.call("GET", f"/clients/{CLIENT}")).json()["tasks"][0]["id"]
        for name, caller in ((CLIENT, "admin"), (server_id, "a"), (server_id, "admin")):
            assert (await world.call("GET", f"/clients/{name}", caller)).json()["tasks"] != [], (name, caller)
        assert elsewhere["tasks"] == []
        assert (await world.call("GET", f"/clients/{server_id}", "foreign")).status_code == 404
        assert (await world.call("GET", f"/metrics/tasks/{task_id}")).status_code == 200


async def test_resources_are_summed_up_in_the_list(world: World) -> None:
    resources = {
        "cpu": {"cores": 4},
        "ram": {"total": 1000},
        "gpu": [{"id": 0, "name": "A", "memory": {"total": 8, "used": 2}}, {"id": 1, "memory": {"total": 4}}],
    }
    async with world.connected() as socket:
        socket.say("heartbeat", system_info={"cpu_usage": 5, "ram_usage": 50}, resources=resources)
        await world.settle()
    listed: dict[str, Any] = (await world.call("GET", "/clients")).json()["clients"][0]["resources"]
    assert listed == {
        "cpu": {"cores": 4, "usage": 5},
        "ram": {"total": 1000, "used": 500},
        "gpu": {"count": 2, "memory": {"total": 12, "used": 2}},
    }
    async with world.connected() as socket:  # what it has is known over its connections
        socket.say("heartbeat", system_info={"ram_usage": 10})
        await world.settle()
    assert (await world.call("GET", "/clients")).json()["clients"][0]["resources"]["ram"]["used"] == 100


async def test_the_version_may_be_part_of_the_path(world: World) -> None:
    for path in ("/api/tasks", "/v1/tasks", "/api/v1/tasks"):
        assert (await world.call("GET", path, prefix="/farm")).status_code == 200
    for path in ("/v2/tasks", "/api/v2/tasks", "/tasks", "/api/v1", "/api/x"):
        answer = await world.call("GET", path, prefix="/farm")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND"), path
        assert answer.headers["X-API-Version"] == "1.0"


async def test_a_version_that_is_asked_for_is_checked(world: World) -> None:
    for given, status in (("1.0", 200), ("1", 200), ("2.0", 400), ("", 400), ("1.0, 1.0", 400)):
        answer = await world.call("GET", "/tasks", headers={"X-API-Version": given})
        assert (answer.status_code, answer.headers["X-API-Version"]) == (status, "1.0")
        if status == 400:
            assert answer.json()["error"]["details"]["field"] == "X-API-Version"


async def test_sixty_calls_a_minute(world: World) -> None:
    answers = [await world.call("GET", f"/tasks/{NOBODY}") for _ in range(58)]
    answers += [await world.call("POST", "/tasks", body=TASK), await world.call("GET", "/clients")]
    assert [int(answer.headers["X-RateLimit-Remaining"]) for answer in answers] == list(range(59, -1, -1))
    over = await world.call("GET", "/metrics")
    assert (over.status_code, over.json()["error"]["code"]) == (429, "RATE_LIMITED")
    assert (over.headers["X-RateLimit-Limit"], over.headers["X-RateLimit-Reset"]) == ("60", "1730721660")
    assert over.headers["Retry-After"] == "60"
    assert (await world.call("GET", "/metrics", "b")).status_code == 200
