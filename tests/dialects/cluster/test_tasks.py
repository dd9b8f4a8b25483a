"""Tasks over REST, their estimates, and the limits."""

import json
from typing import Any

import pytest

from dispatcher.domain.server import Transport
from tests.dialects.cluster.test_bad_inputs import is_error
from tests.dialects.cluster.world import TASK, OpenWorld, World

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


async def test_a_task_waits_for_a_worker_that_can_load_its_model(world: World) -> None:
    await world.worker("other", models=["mistral"])
    task_id = await world.submit()
    assert await world.services.workers.claim("other", lease_ms=1_000) is None
    assert (await world.get(f"/tasks/{task_id}"))["status"] == "queued"
    await world.worker("right", models=["llama-2-7b"])
    assert (await world.taken("right")).task_id == task_id


async def test_gpu_servers_may_run_the_tasks_instead(open_world: OpenWorld) -> None:
    world = open_world(cluster={"runs_on": "servers"})
    await world.worker(kind="predict", transport=Transport.PULL)
    task_id = await world.submit()
    assert (await world.taken()).task_id == task_id


async def test_a_worker_reports_over_the_native_api_and_an_admin_there_does_not(open_world: OpenWorld) -> None:
    world = open_world(cluster={"runs_on": "servers"})
    await world.worker("w1", kind="predict", transport=Transport.PULL)
    world.tokens["w1"] = world.issue("w1", ["server"], server_id="w1")
    task_id = await world.submit()
    given = (await world.call("POST", "/api/servers/w1/claim", "w1", {}, prefix="")).json()
    assert (given["taskId"], given["priority"], given["payload"]["model"]) == (task_id, 5, "llama-2-7b")
    said = {"status": "COMPLETED", "result": {"text": "x"}}
    path = f"/api/task/{task_id}"
    assert (await world.call("PUT", path, "admin", said, prefix="")).status_code == 404
    world.tokens["callback"] = given["callbackToken"]
    assert (await world.call("PUT", path, "callback", said, prefix="")).status_code == 200
    assert (await world.get(f"/tasks/{task_id}"))["result"] == {"text": "x"}


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
    await world.worker()
    await world.taken()
    told = (await world.call("POST", "/tasks", body=TASK, headers=key)).json()
    names = ("status", "assigned_worker", "estimated_wait_time")
    assert [told[name] for name in names] == ["running", "worker-001", "0s"], "as it stands now"
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


async def test_an_estimate_knows_of_a_burst_and_of_who_has_the_model(one: World) -> None:
    async def waits(**more: str) -> str:
        return str((await one.post("/tasks", TASK | more, "a"))["estimated_wait_time"])

    for _ in range(2):
        await one.done(after_ms=30_000)
    one.clock.advance(2_000)
    burst = [await waits() for _ in range(8)]
    assert burst == ["0s"] * 4 + ["8s", "15s", "22s", "30s"], "all at one time"
    assert await waits(model_name="nobody has it") == "45s", "what loading a model takes, as far as that is known"
    await one.worker("worker-002", slots=20, models=("mistral",))
    one.clock.advance(2_000)
    assert await waits() == "45s", "not with the slots of others: 10 wait, four slots"


async def test_two_limits_at_once(open_world: OpenWorld) -> None:
    world = open_world(cluster={"requests": 4, "hourly": 5})

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
    assert await left() == (5, 0, 3540), "the hour is the tighter one now"
    over = await world.call("GET", "/workers")
    assert (over.status_code, over.headers["Retry-After"]) == (429, "3540")
    assert (await world.get("/tasks", "admin"))["total"] == 0


async def test_the_hour_counts_without_the_minute(open_world: OpenWorld) -> None:
    world = open_world(cluster={"requests": 0, "hourly": 2})
    assert [(await world.call("GET", "/workers")).status_code for _ in range(3)] == [200, 200, 429]
