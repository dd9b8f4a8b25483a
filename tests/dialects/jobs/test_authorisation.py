"""Every operation of the job queue under every kind of caller."""

import itertools

import pytest

from tests.dialects.jobs.conftest import OpenWorld
from tests.dialects.jobs.world import EXECUTOR, JOB, World

CALLERS = (None, "garbage", "a", "b", "foreign", "worker", "bound", "admin")
_WORKERS = {"worker", "bound", "admin"}
_CLIENTS = {"a", "b", "foreign", "admin"}
# operation -> method, path, body, who may
TABLE = {
    "health": ("GET", "/health", None, set(CALLERS)),
    "metrics": ("GET", "/metrics", None, {"admin"}),
    "submitJob": ("POST", "/jobs", JOB, _CLIENTS),
    "listJobs": ("GET", "/jobs", None, _CLIENTS),
    "getJob": ("GET", "/jobs/{job}", None, {"a", "admin"}),
    "cancelJob": ("DELETE", "/jobs/{job}", None, {"a", "admin"}),
    "bulkSubmit": ("POST", "/jobs/bulk", [JOB], _CLIENTS),
    "bulkCancel": ("POST", "/jobs/bulk/cancel", {"job_ids": ["x"]}, _CLIENTS),
    "claimJob": ("POST", "/jobs/claim", {"executor_id": EXECUTOR}, _WORKERS),
    "heartbeatJob": ("PUT", "/jobs/{running}/heartbeat", {"executor_id": EXECUTOR}, _WORKERS),
    "completeJob": ("PUT", "/jobs/{running}/complete", {"executor_id": EXECUTOR}, _WORKERS),
    "failJob": ("PUT", "/jobs/{running}/fail", {"executor_id": EXECUTOR}, _WORKERS),
    "adminStats": ("GET", "/admin/stats", None, {"admin"}),
    "adminExecutors": ("GET", "/admin/executors", None, {"admin"}),
}


def test_the_table_names_every_operation(world: World) -> None:
    assert TABLE.keys() == {operation.id for operation in world.dialect("required").operations}


@pytest.mark.parametrize(("operation", "caller"), list(itertools.product(TABLE, CALLERS)))
async def test_who_may_do_what(world: World, operation: str, caller: str | None) -> None:
    method, path, body, allowed = TABLE[operation]
    running = await world.submit()
    await world.claim()
    job_id = await world.submit()
    path = path.replace("{job}", job_id).replace("{running}", running)
    status = (await world.call(method, path, caller, body)).status_code
    if caller in allowed:
        assert status < 300
    elif caller in (None, "garbage"):
        assert status == 401
    else:
        foreign = operation in ("getJob", "cancelJob") and caller in _CLIENTS
        assert status == (404 if foreign else 403)


async def test_a_bound_token_speaks_for_one_executor_only(world: World) -> None:
    job_id = await world.submit()
    other = {"executor_id": "other"}
    refused = await world.call("POST", "/jobs/claim", "bound", other)
    assert (refused.status_code, refused.json()["context"]) == (403, {"field": "executor_id"})
    await world.claim("other")
    for report in ("heartbeat", "complete", "fail"):
        assert (await world.call("PUT", f"/jobs/{job_id}/{report}", "bound", other)).status_code == 403


async def test_executors_of_two_tenants_with_one_name_are_two(world: World) -> None:
    world.tokens["other pool"] = world.issue("pool", ["server"], tenant="other")
    job_id = await world.submit()
    await world.claim()
    answer = await world.call("PUT", f"/jobs/{job_id}/complete", "other pool", {"executor_id": EXECUTOR})
    assert answer.status_code == 400


async def test_without_authentication_everybody_may_do_everything_there(open_world: OpenWorld) -> None:
    world = open_world(jobs={"auth": "none"})
    answer = await world.call("POST", "/jobs", None, JOB)
    job_id = answer.json()["id"]
    for caller in (None, "garbage", "b"):
        assert (await world.call("GET", f"/jobs/{job_id}", caller)).status_code == 200
    assert (await world.call("POST", "/jobs/claim", None, {"executor_id": EXECUTOR})).json()["id"] == job_id
    for path in ("/admin/stats", "/admin/executors", "/metrics"):
        assert (await world.call("GET", path, None)).status_code == 200
    native = await world.call("GET", "/api/tasks", None, prefix="")
    assert native.status_code == 401, "the native API is as closed as before"


async def test_a_listener_has_a_door_of_its_own(open_world: OpenWorld) -> None:
    world = open_world(listeners=[{"dialect": "jobs", "port": 8080, "auth": "none"}, {"dialect": "jobs", "port": 8081}])
    open_door, closed_door = world.listener(0), world.listener(1)
    assert (await open_door.get("/api/v1/jobs")).status_code == 200
    assert (await open_door.get("/jobs")).status_code == 200
    assert (await open_door.get("/api/task/x")).status_code == 404
    assert (await closed_door.get("/api/v1/jobs")).status_code == 401
    assert (await world.call("GET", "/jobs", None)).status_code == 401


async def test_metrics_can_be_opened(open_world: OpenWorld) -> None:
    world = open_world(jobs={"open_metrics": True})
    assert (await world.call("GET", "/metrics", None)).status_code == 200


async def test_there_is_no_limit_unless_one_is_set(open_world: OpenWorld) -> None:
    unlimited = open_world()
    answers = [await unlimited.call("POST", "/jobs", body=JOB) for _ in range(60)]
    assert {answer.status_code for answer in answers} == {201}
    world = open_world(jobs={"submits": 2, "requests": 1, "reports": 1})
    answers = [await world.call("POST", "/jobs", body=JOB) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert answers[2].json()["context"] == {}
    assert answers[2].headers["Retry-After"]
    assert [(await world.call("GET", "/jobs")).status_code for _ in range(2)] == [200, 429]
    claims = [await world.call("POST", "/jobs/claim", "bound", {"executor_id": EXECUTOR}) for _ in range(2)]
    assert [claim.status_code for claim in claims] == [200, 429]
