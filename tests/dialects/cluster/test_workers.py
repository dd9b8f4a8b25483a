"""Workers, their machines, and restarting them."""

from typing import Any

import pytest

from dispatcher.domain.command import Verb
from dispatcher.domain.server import ServerHealth, Transport
from tests.dialects.cluster.test_bad_inputs import is_error
from tests.dialects.cluster.world import GB, World

MODEL: dict[str, Any] = {"model_name": "llama", "worker_ids": ["worker-001"]}


@pytest.fixture
async def one(world: World) -> World:
    await world.worker()
    return world


async def test_a_worker_that_has_never_connected_is_not_online(world: World) -> None:
    body = {"worker_id": "w", "worker_ip": "10.0.0.5:50052"}
    assert (await world.call("POST", "/api/workers", "admin", body, prefix="/cloudai")).status_code == 201
    (worker,) = (await world.get("/workers"))["workers"]
    assert worker["status"] == "offline"
    assert (await world.get("/cluster/status"))["active_workers"] == 0
    await world.store.servers.connect(worker["worker_id"], "c1", "gw_1")
    assert (await world.get("/workers"))["workers"][0]["status"] == "online"


async def test_workers_of_all_kinds_with_their_status(world: World) -> None:
    for number in range(1, 6):
        await world.worker(f"worker-{number}", slots=1)
    await world.worker("pusher", kind="predict", transport=Transport.PULL, machine={"gpu": 10})
    await world.submit()
    await world.taken("worker-2")
    await world.services.servers.set_maintenance("worker-3", True, "")
    await world.beat("worker-4", health=ServerHealth.UNHEALTHY)
    await world.post("/workers/worker-5/restart")
    found = await world.get("/workers")
    words = ["online", "busy", "offline", "error", "offline", "online"]
    assert [worker["status"] for worker in found["workers"]] == words
    assert (found["total"], found["online"], found["offline"]) == (6, 3, 3)
    for status, count in (("online", 2), ("busy", 1), ("error", 1), ("offline", 2)):
        assert (await world.get(f"/workers?status={status}"))["total"] == count
    assert (await world.get("/workers?gpu_type=radeon%20rx"))["total"] == 5
    assert (await world.get("/workers?gpu_type=H100"))["total"] == 0
    assert (await world.get("/cluster/status"))["status"] == "degraded"
    pusher = await world.get("/workers/pusher")
    assert (pusher["gpu_info"]["model"], pusher["gpu_info"]["utilization"]) == (None, 10)
    assert pusher["system_info"] == {"cpu": None, "ram_total": "64GB", "ram_used": None, "os": None}


async def test_an_empty_cluster_is_down(world: World) -> None:
    status = await world.get("/cluster/status")
    assert (status["status"], status["uptime"], status["total_memory"]) == ("down", "0s", "0GB")
    metrics = (await world.get("/cluster/metrics"))["metrics"]
    assert (metrics["success_rate"], metrics["peak_throughput"]) == (0, "0 tasks/min")


NONSENSE: list[dict[str, Any]] = [
    {"gpus": "x", "system": 1},
    {"gpus": [1, None, {"model": 5, "temperature": "hot", "memory_total": -1, "utilization": True}]},
    {"system": {"memory_total": "64GB", "cpu": ["x"]}},
]


@pytest.mark.parametrize("machine", NONSENSE)
async def test_what_a_worker_tells_may_be_anything(world: World, machine: dict[str, Any]) -> None:
    await world.worker(machine=machine)
    assert (await world.get("/workers/worker-001"))["gpu_info"]["temperature"] is None
    assert (await world.get("/workers"))["total"] == 1
    assert (await world.get("/cluster/status"))["gpu_utilization"] == 0


async def test_several_gpus_are_one(world: World) -> None:
    gpus = [
        {"model": "A", "memory_total": 24 * GB, "memory_used": 8 * GB, "temperature": 60, "utilization": 50},
        {"model": "B", "memory_total": 16 * GB, "memory_used": 1 * GB, "temperature": 70, "utilization": 100},
    ]
    await world.worker(machine={"gpus": gpus})
    info = (await world.get("/workers/worker-001"))["gpu_info"]
    names = ("model", "memory_total", "memory_used", "temperature", "utilization")
    assert [info[name] for name in names] == ["A", "40GB", "9GB", 70, 75]
    assert [gpu["model"] for gpu in info["gpus"]] == ["A", "B"]
    assert (await world.get("/workers?gpu_type=b"))["total"] == 1


async def test_a_worker_and_what_it_did_today(one: World) -> None:
    for error in ("", "", "", "no"):
        await one.done(error=error, after_ms=1_800)
    details = await one.get("/workers/worker-001")
    assert details["task_history"] == {"completed_today": 3, "average_duration": "1.8s", "success_rate": 75}
    assert (details["metrics"]["error_rate"], details["metrics"]["tasks_per_hour"]) == (0.25, 4)


async def test_a_restart(one: World) -> None:
    begun = await one.post("/workers/worker-001/restart")
    assert begun["estimated_downtime"] == "30s"
    is_error(await one.call("POST", "/workers/worker-001/restart", "admin"), 409, "OPERATION_RUNNING")
    assert (await one.does("worker-001")).verb == Verb.RESTART
    one.clock.advance(10_000)
    await one.beat("worker-001", boot_id="b2")
    await one.gateway.duties.run()
    assert (await one.get("/workers/worker-001"))["status"] == "online"
    assert (await one.post("/workers/worker-001/restart"))["estimated_downtime"] == "10s"


@pytest.mark.parametrize(
    "worker", [{"transport": Transport.PULL}, {"transport": Transport.PUSH}, {"origin": "farm", "kind": "training"}]
)
async def test_what_needs_a_control_channel_is_refused_without(world: World, worker: dict[str, Any]) -> None:
    await world.worker("deaf", **worker)
    body = {"model_name": "llama", "worker_ids": ["deaf"]}
    is_error(await world.call("POST", "/workers/deaf/restart", "admin"), 409, "NO_CONTROL_CHANNEL")
    is_error(await world.call("POST", "/models/assign", "admin", body), 409, "NO_CONTROL_CHANNEL")
    assert await world.store.commands.pending("deaf") == []
    assert (await world.get("/models/assignments"))["assignments"] == []
