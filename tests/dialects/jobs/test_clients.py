"""What clients do: submit, list, look, cancel."""

from typing import Any

import pytest

from tests.dialects.jobs.conftest import OpenWorld
from tests.dialects.jobs.world import EXECUTOR, JOB, SHA, World


async def test_a_job_is_given_back_as_it_was_submitted(world: World) -> None:
    job_id = await world.submit(arguments=["a b", ""], env_variables={"KEY_1": "ü"}, binary_sha256=SHA.upper())
    assert await world.job(job_id) == {
        "id": job_id,
        **JOB,
        "arguments": ["a b", ""],
        "env_variables": {"KEY_1": "ü"},
        "status": "pending",
        "executor_id": None,
        "stdout": "",
        "stderr": "",
        "exit_code": None,
        "created_at": "2024-01-01T12:00:00Z",
        "started_at": None,
        "completed_at": None,
        "attempts": [],
        "attempt": 0,
        "error_message": None,
        "stdout_truncated": False,
        "stderr_truncated": False,
    }


async def test_nulls_count_as_absent(world: World) -> None:
    job = await world.job(await world.submit(arguments=None, env_variables=None))
    assert (job["arguments"], job["env_variables"]) == ([], {})


async def test_a_repeated_submit_with_a_key_is_one_job(world: World) -> None:
    key = {"Idempotency-Key": "k"}
    first = await world.call("POST", "/jobs", body=JOB, headers=key)
    assert (await world.call("POST", "/jobs", body=JOB, headers=key)).json() == first.json()
    other = await world.call("POST", "/jobs", body={**JOB, "type": "x"}, headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")


async def test_location_names_the_job(world: World) -> None:
    answer = await world.call("POST", "/jobs", body=JOB)
    assert (await world.call("GET", answer.headers["Location"], prefix="")).json()["id"] == answer.json()["id"]


async def _ids(world: World, query: str = "", caller: str = "a") -> tuple[list[str], str]:
    answer = await world.call("GET", f"/jobs{query}", caller)
    assert answer.status_code == 200, answer.text
    return [job["id"] for job in answer.json()], answer.headers["X-Total-Count"]


async def test_lists_are_newest_first_and_can_be_narrowed(world: World) -> None:
    jobs = []
    for kind, priority in [("x", "foreground"), ("y", "background"), ("x", "background"), ("x", "best_effort")]:
        jobs.append(await world.submit(type=kind, priority=priority))
        world.clock.advance(1_000)
    assert await _ids(world) == (jobs[::-1], "4")
    assert await _ids(world, "?type=x") == ([jobs[3], jobs[2], jobs[0]], "3")
    assert await _ids(world, "?priority=background") == ([jobs[2], jobs[1]], "2")
    assert await _ids(world, "?priority=background&type=x&status=pending") == ([jobs[2]], "1")
    assert await _ids(world, "?type=x&limit=1&offset=1") == ([jobs[2]], "3")
    assert await _ids(world, "?limit=5000&offset=4") == ([], "4")
    await world.claim()
    assert await _ids(world, "?status=running&type=x") == ([jobs[0]], "1")
    assert await _ids(world, "?status=pending&type=x") == ([jobs[3], jobs[2]], "2")
    assert await _ids(world, "?type=none") == ([], "0")


async def test_a_listed_job_has_exactly_the_documented_members(world: World) -> None:
    job_id = await world.submit()
    await world.claim()
    (listed,) = (await world.call("GET", "/jobs")).json()
    assert listed == {
        "id": job_id,
        "type": JOB["type"],
        "status": "running",
        "priority": "background",
        "executor_id": EXECUTOR,
        "created_at": "2024-01-01T12:00:00Z",
        "started_at": "2024-01-01T12:00:00Z",
    }


async def test_everybody_has_a_list_of_their_own_and_admins_see_all(world: World) -> None:
    mine, theirs = await world.submit("a"), await world.submit("foreign")
    assert (await _ids(world))[0] == [mine]
    assert set((await _ids(world, caller="admin"))[0]) == {mine, theirs}
    for caller in ("b", "foreign"):
        for method in ("GET", "DELETE"):
            assert (await world.call(method, f"/jobs/{mine}", caller)).status_code == 404
    assert (await world.call("GET", f"/jobs/{mine.upper()}")).status_code == 200


async def test_only_a_pending_job_can_be_cancelled(world: World) -> None:
    job_id = await world.submit()
    cancelled = await world.call("DELETE", f"/jobs/{job_id}")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    again = await world.call("DELETE", f"/jobs/{job_id}")
    assert (again.status_code, again.json()["error"]) == (400, "Job is not in pending state")
    assert again.json()["context"] == {"job_id": job_id}
    running = await world.submit()
    await world.claim()
    assert (await world.call("DELETE", f"/jobs/{running}")).status_code == 400
    assert (await world.job(running))["status"] == "running"
    assert (await world.tell("complete", running)).status_code == 200
    assert (await world.call("DELETE", f"/jobs/{running}")).status_code == 400


async def test_a_job_that_nobody_starts_ends(open_world: OpenWorld) -> None:
    world = open_world(jobs={"waiting_deadline": "5s"})
    job_id = await world.submit()
    await world.later(5_000)
    job = await world.job(job_id)
    assert (job["status"], job["error_message"], job["attempts"]) == ("failed", "The deadline passed", [])


async def test_bulk_submit_keeps_the_order_and_is_all_or_nothing(world: World) -> None:
    jobs = [{**JOB, "type": f"job-{n}"} for n in range(150)]
    answer = await world.call("POST", "/jobs/bulk", body=jobs)
    assert answer.status_code == 201
    assert all(set(one) == {"id", "status"} and one["status"] == "pending" for one in answer.json())
    first = await world.job(answer.json()[0]["id"])
    assert (first["type"], first["status"]) == ("job-0", "pending")
    claimed = [await world.claim() for _ in range(3)]
    assert [job and job["type"] for job in claimed] == ["job-0", "job-1", "job-2"]
    bad: list[Any] = [JOB, {**JOB, "priority": "high"}]
    refused = await world.call("POST", "/jobs/bulk", body=bad)
    assert refused.status_code == 400
    assert refused.json()["context"] == {"index": 1, "field": "priority"}
    assert (await _ids(world, "?limit=1"))[1] == "150"


async def test_bulk_submit_stops_at_the_quota_as_a_whole(open_world: OpenWorld) -> None:
    world = open_world(queue={"tenant_tasks": 3})
    await world.submit()
    refused = await world.call("POST", "/jobs/bulk", body=[JOB] * 3)
    assert (refused.status_code, refused.json()["code"]) == (429, "QUOTA_EXCEEDED")
    assert (await _ids(world))[1] == "1"
    assert (await world.call("POST", "/jobs/bulk", body=[JOB] * 2)).status_code == 201


async def test_bulk_cancel_tells_what_it_could_not_do(world: World) -> None:
    running = await world.submit()
    await world.claim()
    mine, theirs = await world.submit(), await world.submit("b")
    answer = await world.call("POST", "/jobs/bulk/cancel", body={"job_ids": [mine, mine, running, theirs, "nonsense"]})
    assert answer.status_code == 200
    assert answer.json() == {
        "cancelled": 1,
        "failed": 3,
        "errors": [
            {"job_id": running, "error": "Job is not in pending state"},
            {"job_id": theirs, "error": "Job not found"},
            {"job_id": "nonsense", "error": "Job not found"},
        ],
    }


@pytest.mark.parametrize("prefix", ["/jobs", "/jobs/api/v1"])
async def test_the_beginning_of_the_paths_may_be_left_out(world: World, prefix: str) -> None:
    assert (await world.call("POST", "/jobs", body=JOB, prefix=prefix)).status_code == 201
    assert (await world.call("GET", "/health", None, prefix=prefix)).status_code == 200
