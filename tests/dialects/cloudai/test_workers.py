"""Workers: registered by hand, known by their heartbeats."""

from urllib.parse import quote

import pytest

from dispatcher.dialects.cloudai.workers import address, core_id
from dispatcher.domain.errors import Unavailable
from tests.dialects.cloudai.world import ADDRESS, WORKER, World


async def test_a_worker_is_inactive_and_has_nothing_until_its_agent_tells(world: World) -> None:
    await world.register()
    await world.register("worker-2")
    (worker, _) = (await world.read("/workers"))["workers"]
    assert (worker["is_active"], worker["last_heartbeat"], worker["cpu_usage"]) == (False, 0, 0.0)
    assert worker["registered_at"] == world.clock.now_ms() // 1000
    nothing = {"cpu": 0.0, "memory": 0.0, "storage": 0.0, "gpu": 0.0}
    assert worker["total_resources"] == worker["available_resources"] == nothing


async def test_it_is_active_for_less_than_thirty_seconds(world: World) -> None:
    await world.ready()
    for passed, active in ((0, True), (29_999, True), (30_000, False)):
        world.clock.advance(-(-(world.clock.now_ms()) // 1000) * 1000 - world.clock.now_ms())  # on the second
        await world.beat()
        world.clock.advance(passed)
        assert (await world.read(f"/workers/{WORKER}"))["is_active"] is active, passed


async def test_registering_again_moves_it_and_leaves_its_work(world: World) -> None:
    await world.ready()
    task_id, _ = await world.running()
    first = await world.read(f"/workers/{WORKER}")
    world.clock.advance(5_000)
    again = await world.register(address="[::1]:9")
    assert again["worker"] == {"worker_id": WORKER, "worker_ip": "[::1]:9", "is_active": True}
    second = await world.read(f"/workers/{WORKER}")
    assert second["worker_info"] == {**first["worker_info"], "worker_ip": "[::1]:9"}
    assert [task["task_id"] for task in second["running_tasks"]] == [task_id]
    assert len((await world.read("/workers"))["workers"]) == 1


async def test_a_worker_that_was_removed_is_gone_and_its_work_goes_on_elsewhere(world: World) -> None:
    await world.ready()
    task_id, grant = await world.running()
    assert (await world.call("DELETE", f"/workers/{WORKER}", "admin")).status_code == 200
    assert (await world.call("GET", f"/workers/{WORKER}")).status_code == 404
    assert (await world.task(task_id))["status"] == "pending"
    await world.ready("worker-2")
    assert await world.claim("worker-2") is not None
    assert (await world.task(task_id))["assigned_worker"] == "worker-2"
    await world.call("DELETE", "/workers/worker-2", "admin")
    await world.call("DELETE", f"/tasks/{task_id}", "a")
    assert grant.server_id == core_id("default", WORKER)


async def test_all_servers_of_the_fleet_are_workers(world: World) -> None:
    body = {"name": "s", "endpoints": {"predict": "http://127.0.0.1:1/predict"}, "resources": {"cpu": 4}}
    answer = await world.call("POST", "/api/servers", "admin", body, prefix="")
    (worker,) = (await world.read("/workers"))["workers"]
    assert worker["worker_id"] == answer.json()["serverId"]
    assert (worker["address"], worker["total_resources"]["cpu"]) == ("", 4.0)


async def test_tasks_of_other_apis_count_and_are_not_named(world: World) -> None:
    worker = {"name": "w", "transport": "pull"}
    server_id = (await world.call("POST", "/api/servers", "admin", worker, prefix="")).json()["serverId"]
    await world.call("POST", "/api/task", "a", {"type": "x", "priority": 1, "payload": {}}, prefix="")
    assert (await world.call("POST", f"/api/servers/{server_id}/claim", "admin", {}, prefix="")).status_code == 200
    assert (await world.read("/workers"))["workers"][0]["running_tasks_count"] == 1
    for caller in ("a", "admin"):
        assert (await world.read(f"/workers/{server_id}", caller))["running_tasks"] == []
        assert (await world.read(f"/workers/{server_id}/tasks", caller))["count"] == 0


async def test_the_load_of_all_and_of_one(world: World) -> None:
    await world.ready()
    await world.register("worker-2")
    everybody = (await world.call("GET", "/telemetry", prefix="/cloudai")).json()["workers"]
    assert list(everybody) == [WORKER, "worker-2"]
    assert (everybody["worker-2"]["is_active"], everybody["worker-2"]["cpu_usage"]) == (False, 0.0)
    one = await world.call("GET", f"/telemetry/{WORKER}", prefix="/cloudai")
    assert one.json() == everybody[WORKER]
    assert "total_resources" not in one.json()


async def test_health_tells_when_the_store_is_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away() -> None:
        raise Unavailable("away")

    monkeypatch.setattr(world.store.coordination, "ping", away)
    answer = await world.call("GET", "/health", None, prefix="/cloudai")
    assert (answer.status_code, answer.json()["code"]) == (503, "UNAVAILABLE")


@pytest.mark.parametrize("name", ["...", "server_1", "worker_a", "gpu-1.lab:8080", "ä", "a@b", "x" * 128])
async def test_usual_names_lead_to_their_workers(world: World, name: str) -> None:
    await world.register(name)
    assert [worker["worker_id"] for worker in (await world.read("/workers"))["workers"]] == [name]
    assert (await world.read(f"/workers/{quote(name, safe='')}"))["worker_id"] == name


@pytest.mark.parametrize(
    ("host", "port", "shown"),
    [
        (ADDRESS, None, ADDRESS),
        ("localhost:50052", None, "localhost:50052"),
        ("10.0.0.1", 50052, "10.0.0.1:50052"),
        ("10.0.0.1:1", 1, "10.0.0.1:1"),
        ("[fe80::1]:65535", None, "[fe80::1]:65535"),
        ("[::1]", 8, "[::1]:8"),
        ("gpu_1.lab-2.example", 80, "gpu_1.lab-2.example:80"),
    ],
)
def test_addresses(host: str, port: int | None, shown: str) -> None:
    assert address(host, port) == shown
