"""Figures over HTTP."""

import pytest

from tests.dialects.native.world import World


async def _day_of_work(world: World) -> str:
    """Two done, one failed, one waiting, one running; all of client a but the last."""
    server_id = await world.register(maxConcurrent=5, priority=2)
    for n in range(3):
        task_id = await world.create()
        world.clock.advance(2000)
        end = {"status": "COMPLETED", "result": 1} if n else {"status": "FAILED", "error": "x"}
        await world.report(task_id, **end)
    await world.create(capabilities=["quantum"])
    await world.create("client-b")
    return server_id


async def test_task_statistics_by_caller(world: World) -> None:
    server_id = await _day_of_work(world)
    own = (await world.call("GET", "/api/stats/tasks")).json()
    assert (own["totalTasks"], own["successfulTasks"], own["failedTasks"]) == (4, 2, 1)
    assert (own["pendingTasks"], own["processingTasks"], own["retriedTasks"]) == (1, 0, 0)
    assert own["averageProcessingTime"] == 2000
    assert own["topServers"] == [{"serverId": server_id, "tasksProcessed": 3, "successRate": 0.6667}]
    assert (own["serverCount"], own["withoutServer"]["tasksProcessed"]) == (1, 0)
    assert [hour["hour"] for hour in own["hourlyTrend"]] == list(range(24))
    assert own["hourlyTrend"][16]["tasks"] == 4
    everybody = (await world.call("GET", "/api/stats/tasks", "admin")).json()
    assert (everybody["totalTasks"], everybody["processingTasks"]) == (5, 1)
    server = (await world.call("GET", "/api/stats/tasks", world.tokens.server(server_id))).json()
    assert server["totalTasks"] == 5


async def test_hourly_report_and_past_days(world: World) -> None:
    await _day_of_work(world)
    report = (await world.call("GET", "/api/stats/hourly")).json()
    assert (report["date"], len(report["hours"])) == ("2024-01-06", 24)
    assert report["hours"][16] == {"hour": 16, "created": 4, "completed": 2, "failed": 1, "averageTime": 2000}
    world.clock.advance(86_400_000)
    today = (await world.call("GET", "/api/stats/tasks")).json()
    assert (today["date"], today["totalTasks"]) == ("2024-01-07", 0)
    past = (await world.call("GET", "/api/stats/tasks?date=2024-01-06")).json()
    assert (past["date"], past["totalTasks"], past["successfulTasks"]) == ("2024-01-06", 4, 2)


async def test_server_statistics_and_metrics(world: World) -> None:
    server_id = await _day_of_work(world)
    stats = (await world.call("GET", f"/api/stats/servers/{server_id}")).json()
    assert {k: stats[k] for k in ("tasksProcessed", "successCount", "failureCount", "successRate")} == {
        "tasksProcessed": 3, "successCount": 2, "failureCount": 1, "successRate": 0.6667,
    }  # fmt: skip
    assert (stats["averageProcessingTime"], 0 <= stats["uptime"] <= 1) == (2000, True)
    metrics = (await world.call("GET", f"/api/servers/{server_id}/metrics", "admin")).json()["metrics"]
    assert (metrics["tasksProcessed"], metrics["uptime"], metrics["currentLoad"]) == (3, 6000, 0.2)
    missing = await world.call("GET", "/api/stats/servers/server_none")
    assert (missing.status_code, missing.json()["details"]) == (404, "Server not found: server_none")


async def test_load_balancer_status_and_switch(world: World) -> None:
    server_id = await _day_of_work(world)
    idle = await world.register(capabilities=["none"])
    status = (await world.call("GET", "/api/stats/load-balancer")).json()
    assert status["algorithm"] == "round-robin"
    assert status["serverDistribution"] == {
        server_id: {"load": 0.2, "activeTasks": 1, "weight": 2},
        idle: {"load": 0.0, "activeTasks": 0, "weight": 1},
    }
    assert (status["totalActiveTasks"], status["averageLoad"]) == (1, 0.1)
    for name in ("least-connections", "weighted-round-robin", "random", "round-robin"):
        answer = await world.call("POST", "/api/stats/load-balancer/algorithm", "admin", {"algorithm": name})
        assert answer.json() == {"message": "Load balancer algorithm updated", "algorithm": name}
        assert (await world.call("GET", "/api/stats/load-balancer")).json()["algorithm"] == name
    unknown = await world.call("POST", "/api/stats/load-balancer/algorithm", "admin", {"algorithm": "best"})
    assert unknown.status_code == 400
    assert "least-connections" in unknown.json()["details"]


async def test_an_empty_fleet_has_no_load(world: World) -> None:
    status = (await world.call("GET", "/api/stats/load-balancer")).json()
    assert (status["serverDistribution"], status["averageLoad"], status["totalActiveTasks"]) == ({}, 0, 0)


@pytest.mark.parametrize("path", ["tasks", "hourly", "servers/server_x"])
async def test_a_bad_date_is_400(world: World, path: str) -> None:
    answer = await world.call("GET", f"/api/stats/{path}?date=2024-13-01")
    assert (answer.status_code, answer.json()["field"]) == (400, "date")
