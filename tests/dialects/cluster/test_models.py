"""Models on workers, evening them out, and the figures by timeframe."""

import json
from typing import Any

import pytest

from dispatcher.domain.command import CommandState
from dispatcher.domain.server import Transport
from tests.dialects.cluster.test_bad_inputs import is_error
from tests.dialects.cluster.world import GB, OpenWorld, World

MODEL: dict[str, Any] = {"model_name": "llama", "worker_ids": ["worker-001"]}


@pytest.fixture
async def one(world: World) -> World:
    await world.worker()
    return world


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


async def test_a_model_that_a_task_loads_is_in_use(one: World) -> None:
    await one.submit(model_name="llama")
    await one.taken()
    is_error(await one.call("POST", "/models/unload", "admin", MODEL), 409, "MODEL_BUSY")
    [worker] = (await one.get("/models/assignments"))["assignments"]
    assert (worker["models"][0]["name"], worker["models"][0]["status"]) == ("llama", "loading")


async def test_a_model_that_its_worker_does_not_tell_of_is_in_use_all_the_same(open_world: OpenWorld) -> None:
    world = open_world(cluster={"runs_on": "servers"})
    await world.worker(kind="predict", transport=Transport.PULL, models=())
    await world.submit(model_name="llama")
    await world.taken()
    is_error(await world.call("POST", "/models/unload", "admin", MODEL), 409, "MODEL_BUSY")
    is_error(await world.call("POST", "/models/unload", "admin", {**MODEL, "force": True}), 404, "NOT_FOUND")


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
    token = {"Authorization": f"Bearer {one.tokens['admin']}"}
    for raw in (None, b"", b'{"force": false}'):
        untyped = await one.http.post("/cluster/cluster/rebalance", headers=token, content=raw)
        assert (untyped.status_code, "content-type" in untyped.request.headers) == (200, False)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    is_error(await one.call("POST", "/rebalance", "admin", raw=b"{}", headers=form), 415, "UNSUPPORTED_MEDIA_TYPE")
    await one.worker("worker-002")
    planned = await one.post("/cluster/rebalance", {"dry_run": True, "strategy": "load_balanced"})
    assert (planned["status"], len(planned["operations"])) == ("planned", 1)
    assert await one.store.commands.pending("worker-002") == []
    begun = await one.post("/rebalance", {})
    assert (begun["status"], begun["affected_workers"]) == ("initiated", ["worker-001", "worker-002"])
    is_error(await one.call("POST", "/cluster/rebalance", "admin", {}), 409, "OPERATION_RUNNING")
    assert (await one.post("/cluster/rebalance", {"force": True}))["rebalance_id"] != begun["rebalance_id"]


async def test_a_rebalance_tells_which_of_its_moves_failed_and_why(one: World) -> None:
    for model in ("a", "b"):
        await one.loaded("worker-001", model, 8)
    await one.worker("worker-002")
    begun = await one.post("/rebalance", {})
    await one.does("worker-002", CommandState.FAILED, error="no such file")
    found = (await one.call("GET", f"/api/operations/{begun['rebalance_id']}", "admin", prefix="")).json()
    assert (found["state"], found["error"]) == ("failed", "1 of 1 moves failed: no such file")
    assert [step["state"] for step in found["steps"]] == ["failed", "failed"]
    assert (await one.post("/rebalance", {}))["status"] == "initiated", "it is over"


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
