"""Statistics, executors and metrics."""

import re

from tests.dialects.jobs.world import EXECUTOR, World

_SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)')


def parse(text: str) -> tuple[dict[str, str], dict[str, float]]:
    """Types of families and values of samples, read by the rules of the text format 0.0.4."""
    assert text.endswith("\n")
    types: dict[str, str] = {}
    samples: dict[str, float] = {}
    family = ""
    for line in text.splitlines():
        if line.startswith("# HELP "):
            family = line.split(" ", 3)[2]
            assert family not in types, "the lines of a family stand together"
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert (name, kind in ("gauge", "counter", "summary")) == (family, True)
            types[name] = kind
        else:
            found = _SAMPLE.fullmatch(line)
            assert found, line
            assert re.fullmatch(family + ("(_sum|_count)" if types[family] == "summary" else ""), found[1])
            key = found[1] + ("{" + found[2] + "}" if found[2] else "")
            assert key not in samples
            samples[key] = float(found[3])
    return types, samples


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
    types, samples = parse(answer.text)
    assert samples['dispatcher_jobs{status="pending",priority="best_effort"}'] == 1
    assert samples['dispatcher_jobs{status="completed",priority="foreground"}'] == 1
    assert samples['dispatcher_jobs{status="running",priority="background"}'] == 0
    assert samples["dispatcher_executors_active"] == 2
    assert samples["dispatcher_jobs_submitted_total"] == 6
    assert samples["dispatcher_job_duration_seconds_sum"] == 3
    assert samples["dispatcher_job_duration_seconds_count"] == 2
    assert types["dispatcher_job_duration_seconds"] == "summary"
