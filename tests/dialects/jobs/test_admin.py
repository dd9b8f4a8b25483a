"""Statistics, executors and metrics."""

from tests.dialects.jobs.world import EXECUTOR, World
from tests.support.exposition import parse


async def _scene(world: World) -> dict[str, str]:
    """One job of each status, and two more that wait."""
    jobs = {}
    for status in ("completed", "failed", "running"):
        jobs[status] = await world.submit(priority="foreground")
        await world.claim("w2" if status == "running" else EXECUTOR)
        world.clock.advance(1_500)
        if verb := {"completed": "complete", "failed": "fail"}.get(status):
            assert (await world.tell(verb, jobs[status])).status_code == 200
    jobs["cancelled"] = await world.submit()
    await world.call("DELETE", f"/jobs/{jobs['cancelled']}")
    jobs["pending"] = await world.submit(priority="best_effort")
    await world.submit(priority="background")
    return jobs


async def test_statistics(world: World) -> None:
    await _scene(world)
    assert (await world.call("GET", "/admin/stats", "admin")).json() == {
        "jobs_by_status": {"pending": 2, "running": 1, "completed": 1, "failed": 1, "cancelled": 1},
        "pending_by_priority": {"foreground": 0, "background": 1, "best_effort": 1},
        "active_executors": 2,
    }


async def test_executors(world: World) -> None:
    jobs = await _scene(world)
    first, second = (await world.call("GET", "/admin/executors", "admin")).json()
    assert first == {
        "executor_id": EXECUTOR,
        "current_job_id": None,
        "job_type": None,
        "last_heartbeat": "2024-01-01T12:00:01Z",
        "jobs_completed": 1,
        "current_job_ids": [],
    }
    assert (second["executor_id"], second["current_job_id"]) == ("w2", jobs["running"])
    assert (second["job_type"], second["jobs_completed"]) == ("data-processing", 0)


async def test_an_executor_is_active_for_the_lease_after_its_last_word(world: World) -> None:
    async def active() -> int:
        stats = await world.call("GET", "/admin/stats", "admin")
        assert len((await world.call("GET", "/admin/executors", "admin")).json()) == stats.json()["active_executors"]
        return int(stats.json()["active_executors"])

    await world.claim()
    await world.later(59_000)
    assert await active() == 1
    await world.submit()
    job = await world.claim()
    assert job is not None
    await world.later(50_000)
    await world.tell("heartbeat", job["id"])
    await world.later(59_000)
    assert await active() == 1
    await world.later(1_000)
    assert await active() == 0


async def test_metrics_are_prometheus_text(world: World) -> None:
    await _scene(world)
    answer = await world.call("GET", "/metrics", "admin")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    found = parse(answer.text)
    jobs = found["dispatcher_jobs"]
    assert jobs.value(status="pending", priority="best_effort") == 1
    assert jobs.value(status="completed", priority="foreground") == 1
    assert jobs.value(status="running", priority="background") == 0
    assert len(jobs.samples) == 15
    assert found["dispatcher_executors_active"].value() == 2
    counters = {name: one.value() for name, one in found.items() if one.kind == "counter"}
    assert counters == {
        "dispatcher_jobs_submitted_total": 6,
        "dispatcher_jobs_completed_total": 1,
        "dispatcher_jobs_failed_total": 1,
        "dispatcher_jobs_cancelled_total": 1,
        "dispatcher_job_attempts_failed_total": 0,
    }
    duration = found["dispatcher_job_duration_seconds"]
    assert (duration.kind, duration.value("_sum"), duration.value("_count")) == ("summary", 3, 2)


async def test_an_empty_queue_has_metrics_too(world: World) -> None:
    found = parse((await world.call("GET", "/metrics", "admin")).text)
    assert found["dispatcher_job_duration_seconds"].value("_count") == 0
    assert len(found) == 8
