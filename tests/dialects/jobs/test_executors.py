"""What executors do: claim, heartbeat, complete, fail; and what becomes of the jobs of those that vanish."""

import asyncio

import pytest

from dispatcher.domain.event import FleetEvent
from tests.dialects.jobs.conftest import OpenWorld
from tests.dialects.jobs.world import EXECUTOR, JOB, World


async def test_a_claim_answers_the_details(world: World) -> None:
    assert await world.claim() is None
    job_id = await world.submit()
    world.clock.advance(60_000)
    job = await world.claim(executor_ip="192.168.1.100")
    assert job == await world.job(job_id)
    assert (job["status"], job["executor_id"], job["started_at"]) == ("running", EXECUTOR, "2024-01-01T12:01:00Z")
    assert job["attempts"] == [
        {
            "executor_id": EXECUTOR,
            "executor_ip": "192.168.1.100",
            "started_at": "2024-01-01T12:01:00Z",
            "ended_at": None,
            "status": "running",
        }
    ]
    assert await world.claim() is None


@pytest.mark.parametrize(("lease", "told"), [("4s", "4"), ("2500ms", "2.5")])
async def test_a_claim_tells_the_lease(open_world: OpenWorld, lease: str, told: str) -> None:
    world = open_world(jobs={"lease": lease})
    await world.submit()
    claims = [await world.call("POST", "/jobs/claim", "worker", {"executor_id": EXECUTOR}) for _ in range(2)]
    assert [claim.status_code for claim in claims] == [200, 204]
    assert [claim.headers.get("X-Lease-Seconds") for claim in claims] == [told, None]


async def test_without_an_address_the_one_it_came_from_is_kept(world: World) -> None:
    await world.submit()
    job = await world.claim()
    assert job is not None
    assert job["attempts"][0]["executor_ip"] == "10.0.0.9"


async def test_priorities_are_strict(world: World) -> None:
    order = ["best_effort", "background", "foreground", "background"]
    for priority in order:
        await world.submit(type=priority, priority=priority)
        world.clock.advance(3_600_000)
    got = [await world.claim() for _ in order]
    assert [job and job["type"] for job in got] == ["foreground", "background", "background", "best_effort"]


async def test_with_ageing_the_longest_waiting_goes_first_in_the_end(open_world: OpenWorld) -> None:
    world = open_world(jobs={"aging": "60s"})
    await world.submit(type="old", priority="best_effort")
    world.clock.advance(121_000)
    await world.submit(type="new", priority="foreground")
    job = await world.claim()
    assert job is not None
    assert job["type"] == "old"


async def test_a_completed_job_keeps_its_results(world: World) -> None:
    job_id = await world.submit()
    await world.claim()
    world.clock.advance(60_000)
    done = await world.tell("complete", job_id, stdout="Job output...", stderr="w", exit_code=3)
    assert done.status_code == 200
    job = await world.job(job_id)
    assert done.json() == job
    assert (job["status"], job["stdout"], job["stderr"], job["exit_code"]) == ("completed", "Job output...", "w", 3)
    assert job["completed_at"] == "2024-01-01T12:01:00Z"
    assert (job["attempts"][0]["status"], job["attempts"][0]["ended_at"]) == ("completed", "2024-01-01T12:01:00Z")


async def test_a_failed_job_keeps_its_output_and_is_not_run_again(world: World) -> None:
    job_id = await world.submit()
    await world.claim()
    said = {"stdout": "Partial output...", "stderr": "Error messages...", "exit_code": 1}
    assert (await world.tell("fail", job_id, **said, error_message="Binary execution failed")).status_code == 200
    await world.later(60_000)
    job = await world.job(job_id)
    assert {name: job[name] for name in said} == said
    assert (job["status"], job["error_message"]) == ("failed", "Binary execution failed")
    assert job["attempts"][0]["status"] == "failed"
    assert await world.claim() is None


async def test_the_same_end_may_be_reported_again_and_no_other(world: World) -> None:
    job_id = await world.submit()
    await world.claim()
    await world.tell("complete", job_id, stdout="first")
    again = await world.tell("complete", job_id, stdout="second")
    assert (again.status_code, again.json()["stdout"]) == (200, "first")
    other = await world.tell("fail", job_id)
    assert (other.status_code, other.json()["error"]) == (400, "Invalid state transition")
    assert other.json()["context"] == {"job_id": job_id}


@pytest.mark.parametrize("report", ["heartbeat", "complete", "fail"])
async def test_who_does_not_hold_a_job_has_no_say(world: World, report: str) -> None:
    job_id = await world.submit()
    refused = 404 if report == "heartbeat" else 400
    assert (await world.tell(report, job_id)).status_code == refused  # nobody has it
    await world.claim()
    assert (await world.tell(report, job_id, "other")).status_code == refused
    await world.claim("other")
    assert (await world.tell(report, job_id, "other")).status_code == refused
    assert (await world.tell(report, job_id, attempt=7)).status_code == refused
    assert (await world.job(job_id))["status"] == "running"
    assert (await world.tell(report, job_id, attempt=1)).status_code == 200


async def test_heartbeats_keep_a_job(world: World) -> None:
    job_id = await world.submit()
    await world.claim()
    for _ in range(4):
        await world.later(50_000)
        assert (await world.tell("heartbeat", job_id)).json()["status"] == "running"
    await world.later(60_000)
    job = await world.job(job_id)
    assert (job["status"], job["executor_id"], job["started_at"]) == ("pending", None, None)
    assert job["attempts"][0]["status"] == "lost"


async def test_a_heartbeat_is_for_one_job_only(world: World) -> None:
    first, second = await world.submit(), await world.submit()
    assert await world.claim()
    assert await world.claim()
    await world.later(50_000)
    await world.tell("heartbeat", first)
    await world.later(10_000)
    assert (await world.job(first))["status"] == "running"
    assert (await world.job(second))["status"] == "pending"


async def test_the_dead_one_s_late_word_is_refused(world: World) -> None:
    job_id = await world.submit()
    await world.claim("dead")
    await world.claim("alive")
    await world.later(60_000)
    await world.claim("alive")
    assert (await world.tell("complete", job_id, "dead", stdout="late")).status_code == 400
    beat = await world.tell("heartbeat", job_id, "dead")
    assert (beat.status_code, beat.json()["error"]) == (404, "Job not found or not running")
    assert (beat.json()["code"], beat.json()["context"]) == ("STALE_ATTEMPT", {"job_id": job_id})
    done = await world.tell("complete", job_id, "alive", stdout="mine")
    assert (done.status_code, done.json()["stdout"]) == (200, "mine")
    assert [attempt["status"] for attempt in done.json()["attempts"]] == ["lost", "completed"]


async def test_a_job_lost_three_times_fails(world: World) -> None:
    job_id = await world.submit()
    for _ in range(3):
        assert await world.claim() is not None
        await world.later(60_000)
    job = await world.job(job_id)
    assert (job["status"], job["error_message"], len(job["attempts"])) == ("failed", "executor lost", 3)
    assert await world.claim() is None


async def test_a_job_may_run_only_so_long_when_the_operator_says_so(open_world: OpenWorld) -> None:
    world = open_world(jobs={"max_runtime": "90s"})
    job_id = await world.submit()
    await world.claim()
    await world.later(50_000)
    await world.tell("heartbeat", job_id)
    await world.later(41_000)
    assert (await world.tell("heartbeat", job_id)).status_code == 404
    job = await world.job(job_id)
    assert (job["status"], [one["status"] for one in job["attempts"]]) == ("pending", ["failed"])
    for executor in ("second", "third"):
        await world.later(60_000)
        assert await world.claim(executor) is not None
        for _ in range(2):
            await world.tell("heartbeat", job_id, executor)
            await world.later(46_000)
    job = await world.job(job_id)
    assert (job["status"], [one["status"] for one in job["attempts"]]) == ("failed", ["failed"] * 3)
    assert "took longer" in job["error_message"]


async def test_output_is_cut_at_a_character(world: World) -> None:
    job_id = await world.submit()
    await world.claim()
    long = "x" * 1_048_575 + "ä" + "y" * 100
    await world.tell("complete", job_id, stdout=long, stderr="ä" * 524_288)
    job = await world.job(job_id)
    assert (job["stdout"], job["stdout_truncated"]) == ("x" * 1_048_575, True)
    assert (job["stderr"], job["stderr_truncated"]) == ("ä" * 524_288, False)


async def test_a_report_may_be_larger_than_other_bodies(world: World) -> None:
    job_id = await world.submit()
    await world.claim()
    assert (await world.tell("complete", job_id, stdout="\0" * 1_500_000)).status_code == 200
    too_large = await world.tell("fail", job_id, stdout="x" * 16_777_216)
    assert (too_large.status_code, too_large.json()["code"]) == (413, "PAYLOAD_TOO_LARGE")
    assert (await world.call("POST", "/jobs", body={**JOB, "arguments": ["x" * 1_048_576]})).status_code == 413


@pytest.mark.parametrize("how", ["?wait=20", "prefer"])
async def test_a_claim_may_wait(world: World, how: str) -> None:
    headers = {"Prefer": "wait=20"} if how == "prefer" else {}
    query = "" if how == "prefer" else how
    claim = asyncio.create_task(
        world.call("POST", f"/jobs/claim{query}", "worker", {"executor_id": EXECUTOR}, headers=headers)
    )
    await world.settle()
    assert not claim.done()
    job_id = await world.submit()
    world.services.workers.publish(FleetEvent("1", "task", {"id": job_id, "state": "PENDING"}))
    answer = await claim
    assert (answer.status_code, answer.json()["id"]) == (200, job_id)


async def test_waiting_claims_are_answered_when_the_gateway_stops(world: World) -> None:
    claim = asyncio.create_task(world.call("POST", "/jobs/claim?wait=20", "worker", {"executor_id": EXECUTOR}))
    await world.settle()
    await world.services.workers.drain()
    assert (await claim).status_code == 204
    refused = await world.call("POST", "/jobs/claim", "worker", {"executor_id": EXECUTOR})
    assert (refused.status_code, "Retry-After" in refused.headers) == (503, True)
