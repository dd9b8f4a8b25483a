"""Tasks, workers, models and figures over REST."""

import json
from typing import Any

import pytest

from dispatcher.domain.command import CommandState, Verb
from dispatcher.domain.server import ServerHealth, Transport
from tests.dialects.cluster.test_bad_inputs import is_error
from tests.dialects.cluster.world import GB, TASK, OpenWorld, World

MODEL: dict[str, Any] = {"model_name": "llama", "worker_ids": ["worker-001"]}


@pytest.fixture
async def one(world: World) -> World:
    await world.worker()
    return world


async def test_a_task_is_given_to_workers_of_the_kind_as_it_was_asked_for(world: World) -> None:
    await world.worker("predictor", kind="predict", transport=Transport.PULL)
    await world.worker()
    await world.submit(parameters={"prompt": "x", "n": [1, None]}, timeout=2.5)
    assert await world.services.workers.claim("predictor", lease_ms=1_000) is None
    grant = await world.taken()
    assert json.loads(grant.payload) == {
        "task_type": "text_generation",
        "model": "llama-2-7b",
        "parameters": {"prompt": "x", "n": [1, None]},
    }
    assert (grant.type, grant.deadline_ms - grant.now_ms) == ("text_generation", 2_500)


async def test_gpu_servers_may_run_the_tasks_instead(open_world: OpenWorld) -> None:
    world = open_world(cluster={"runs_on": "servers"})
    await world.worker(kind="predict", transport=Transport.PULL)
    task_id = await world.submit()
    assert (await world.taken()).task_id == task_id


async def test_a_more_urgent_task_goes_first(one: World) -> None:
    ids = [await one.submit(priority=word) for word in ("low", "normal", "critical", "high")]
    taken = [(await one.taken()).task_id for _ in ids]
    assert taken == [ids[place] for place in (2, 3, 1, 0)]
    assert (await one.get(f"/tasks/{ids[2]}"))["priority"] == "critical"


async def test_a_submit_can_be_repeated_with_a_key(world: World) -> None:
    key = {"Idempotency-Key": "k"}
    first, second = [await world.call("POST", "/tasks", body=TASK, headers=key) for _ in range(2)]
    assert first.json()["task_id"] == second.json()["task_id"]
    assert first.headers["Location"] == f"/cluster/tasks/{first.json()['task_id']}"
    other = await world.call("POST", "/tasks", body={**TASK, "timeout": 5}, headers=key)
    is_error(other, 422, "IDEMPOTENCY_KEY_REUSED")


async def test_a_task_through_its_states(one: World) -> None:
    task_id = await one.submit(model_name=None)
    queued = await one.get(f"/tasks/{task_id}")
    assert queued["status"] == "queued"
    names = ("assigned_worker", "started_at", "completed_at", "duration", "result", "model_name")
    assert [queued[name] for name in names] == [None] * 6
    grant = await one.taken()
    running = await one.get(f"/tasks/{task_id}")
    assert (running["status"], running["assigned_worker"], running["completed_at"]) == ("running", "worker-001", None)
    await one.ended(grant, error="out of memory", after_ms=125_000)
    failed = await one.get(f"/tasks/{task_id}")
    assert (failed["status"], failed["error"], failed["duration"]) == ("failed", "out of memory", "2m")
    assert failed["result"] is None


async def test_a_task_over_its_time_has_failed(one: World) -> None:
    task_id = await one.submit(timeout=1)
    for _ in range(3):
        await one.taken()
        await one.later(40_000)
        await one.beat("worker-001")
    task = await one.get(f"/tasks/{task_id}")
    assert (task["status"], task["error"]) == ("failed", "timeout")
    assert (await one.get("/tasks?status=failed"))["total"] == 1


async def test_cancelling(one: World) -> None:
    waiting = await one.submit()
    for _ in range(2):
        answer = await one.call("DELETE", f"/tasks/{waiting}")
        assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert (await one.get(f"/tasks/{waiting}"))["status"] == "cancelled"
    running = await one.submit()
    await one.taken()
    assert (await one.call("DELETE", f"/tasks/{running}")).status_code == 200
    is_error(await one.call("DELETE", f"/tasks/{await one.done()}"), 409, "ILLEGAL_STATE")


async def test_a_list_is_paged_and_filtered(one: World) -> None:
    await one.worker("worker-002")
    first, second = await one.done(), await one.done("worker-002")
    third = await one.submit()
    await one.taken("worker-002")
    rest = [await one.submit() for _ in range(3)]

    async def ids(query: str) -> tuple[list[str], int]:
        found = await one.get(f"/tasks?{query}")
        return [task["task_id"] for task in found["tasks"]], found["total"]

    assert await ids("limit=2") == (rest[:0:-1], 6)
    assert await ids("limit=2&offset=4") == ([second, first], 6)
    assert await ids("status=completed") == ([second, first], 2)
    assert await ids("worker_id=worker-002") == ([third, second], 2)
    assert await ids("worker_id=worker-002&status=running") == ([third], 1)
    assert await ids("worker_id=worker-009") == ([], 0)
    assert (await one.get("/tasks?limit=5000"))["limit"] == 1000
    assert (await one.get("/tasks?worker_id=worker-002", "b"))["total"] == 0
    assert (await one.get("/tasks?worker_id=worker-002", "admin"))["total"] == 2


async def test_a_wait_is_estimated_from_what_tasks_took(one: World) -> None:
    async def waits() -> str:
        one.clock.advance(2_000)
        answer = await one.post("/tasks", TASK, "a")
        return str(answer["estimated_wait_time"])

    for _ in range(2):
        await one.done(after_ms=30_000)
    assert await waits() == "0s"
    for _ in range(3):
        await waits()
    assert await waits() == "8s", "one ahead of it, four slots, half a minute each"
    for _ in range(4):
        await waits()
    assert await waits() == "45s"


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


async def test_a_model_is_assigned_loaded_used_and_unloaded(one: World) -> None:
    assigned = await one.post("/models/assign", MODEL)
    assert assigned["assignments"] == [{"worker_id": "worker-001", "status": "loading", "estimated_time": "45s"}]
    second = await one.post("/models/assign", {**MODEL, "model_name": "other"})
    assert second["assignments"][0] == {"worker_id": "worker-001", "status": "queued", "estimated_time": "90s"}
    later = await one.post("/models/assign", {**MODEL, "model_name": "later", "preload": False})
    assert later["assignments"][0]["status"] == "assigned"
    command = await one.does("worker-001", gpu_memory_bytes=7 * GB, load_ms=20_000)
    assert json.loads(command.args)["model"] == "llama"
    again = await one.post("/models/assign", MODEL)
    assert again["assignments"] == [{"worker_id": "worker-001", "status": "loaded", "estimated_time": "0s"}]

    await one.submit(model_name="llama")
    grant = await one.taken()
    is_error(await one.call("POST", "/models/unload", "admin", MODEL), 409, "MODEL_BUSY")
    await one.ended(grant)
    unloading = await one.post("/models/unload", MODEL)
    assert unloading["affected_workers"] == ["worker-001"]
    statuses = {m["name"]: m["status"] for m in (await one.get("/models/assignments"))["assignments"][0]["models"]}
    assert statuses["llama"] == "unloading"
    is_error(await one.call("POST", "/models/unload", "admin", {**MODEL, "model_name": "no"}), 404, "NOT_FOUND")


async def test_a_model_in_use_is_unloaded_by_force(one: World) -> None:
    await one.loaded("worker-001", "llama")
    await one.worker("worker-002")
    await one.submit(model_name="llama")
    await one.taken()
    both = {**MODEL, "worker_ids": ["worker-002", "worker-001"], "force": True}
    assert (await one.post("/models/unload", both))["affected_workers"] == ["worker-001"]
    [command] = await one.store.commands.pending("worker-001")
    assert json.loads(command.args)["force"] is True


async def test_a_model_that_cannot_be_loaded(one: World) -> None:
    await one.post("/models/assign", MODEL)
    await one.does("worker-001", CommandState.FAILED, error="no such file")
    [worker] = (await one.get("/models/assignments"))["assignments"]
    assert (worker["models"][0]["status"], worker["models"][0]["error"]) == ("failed", "no such file")
    await one.loaded("worker-001", "huge", 23)
    await one.worker("worker-002")
    await one.loaded("worker-002", "wide", 20)
    body = {"model_name": "huge", "worker_ids": ["worker-002"]}
    is_error(await one.call("POST", "/models/assign", "admin", body), 409, "NO_ROOM")


async def test_a_rebalance(one: World) -> None:
    for model in ("a", "b"):
        await one.loaded("worker-001", model, 8)
    assert (await one.post("/cluster/rebalance", {}))["status"] == "completed"
    await one.worker("worker-002")
    planned = await one.post("/cluster/rebalance", {"dry_run": True, "strategy": "load_balanced"})
    assert (planned["status"], len(planned["operations"])) == ("planned", 1)
    assert await one.store.commands.pending("worker-002") == []
    begun = await one.post("/rebalance", {})
    assert (begun["status"], begun["affected_workers"]) == ("initiated", ["worker-001", "worker-002"])
    is_error(await one.call("POST", "/cluster/rebalance", "admin", {}), 409, "OPERATION_RUNNING")
    assert (await one.post("/cluster/rebalance", {"force": True}))["rebalance_id"] != begun["rebalance_id"]


async def test_metrics_by_timeframe(one: World) -> None:
    await one.loaded("worker-001", "used", 6)
    await one.loaded("worker-001", "idle", 2)
    for _ in range(3):
        await one.done(model_name="used", after_ms=1_000)
    one.clock.advance(2 * 3_600_000)
    await one.done(error="no", after_ms=1_000)

    async def tasks(timeframe: str) -> tuple[int, int]:
        figures = (await one.get(f"/cluster/metrics?timeframe={timeframe}"))["metrics"]
        return figures["successful_tasks"], figures["failed_tasks"]

    assert await tasks("1h") == (0, 1)
    for timeframe in ("24h", "7d", "30d"):
        assert await tasks(timeframe) == (3, 1)
    figures = (await one.get("/cluster/metrics"))["metrics"]
    assert (figures["success_rate"], figures["peak_throughput"]) == (75, "3 tasks/min")
    assert (figures["gpu_utilization"]["average"], figures["memory_usage"]["efficiency"]) == (75.5, 75)


async def test_two_limits_at_once(open_world: OpenWorld) -> None:
    world = open_world(cluster={"requests": 4, "hourly": 6})

    async def left() -> tuple[int, int, int]:
        answer = await world.call("GET", "/workers")
        names = ("Limit", "Remaining", "Reset")
        limit, remaining, reset = (int(answer.headers[f"X-RateLimit-{name}"]) for name in names)
        return limit, remaining, reset - world.clock.now_ms() // 1000

    assert [await left() for _ in range(4)] == [(4, n, 60) for n in (3, 2, 1, 0)]
    over = await world.call("POST", "/tasks", body=TASK)
    assert is_error(over, 429, "RATE_LIMITED")["error"] == "Too Many Requests"
    assert over.headers["Retry-After"] == "60"
    world.clock.advance(60_000)
    assert await left() == (6, 0, 3540), "the hour is the tighter one now"
    over = await world.call("GET", "/workers")
    assert (over.status_code, over.headers["Retry-After"]) == (429, "3540")
    assert (await world.get("/tasks", "admin"))["total"] == 0
