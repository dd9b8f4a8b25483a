"""The life of a task over HTTP."""

import asyncio

import pytest

from dispatcher.domain.failure import Outcome, Verdict
from dispatcher.web.body import BodyLimits
from tests.dialects.native.world import CREATE, START_MS, World


async def test_create_answers_at_once_with_the_documented_fields(world: World) -> None:
    answer = await world.call("POST", "/api/task", body=CREATE)
    task = answer.json()
    assert answer.status_code == 200
    assert task["status"] == task["state"] == "PENDING"
    assert task["createdAt"] == task["updatedAt"] == START_MS
    assert answer.headers["Location"] == f"/api/task/{task['id']}"


async def test_the_payload_reaches_the_server_byte_for_byte(world: World) -> None:
    await world.register()
    payload = b'{ "n": 1.10, "big": 123456789012345678901234567890, "t": "\\u00e9\xc3\xa9" }'
    raw = b'{"type":"t","priority":0,"payload":' + payload + b"}"
    task_id = (await world.call("POST", "/api/task", raw=raw)).json()["id"]
    await world.settle()
    assert world.backend.grants[task_id].payload == payload


async def test_a_task_runs_reports_progress_and_completes(world: World) -> None:
    server_id = await world.register()
    task_id = await world.create()
    running = (await world.report(task_id, status="PROCESSING", progress=45)).json()
    assert (running["status"], running["progress"], running["serverId"]) == ("PROCESSING", 45, server_id)
    assert (running["message"], running["taskId"]) == ("Task updated", task_id)
    lower = (await world.report(task_id, progress=10)).json()
    assert lower["progress"] == 45
    await world.report(task_id, status="COMPLETED", result={"url": "x"})
    ended = (await world.call("GET", f"/api/task/{task_id}")).json()
    assert (ended["status"], ended["result"], ended["attempt"]) == ("COMPLETED", {"url": "x"}, 1)
    assert ended["attempts"][0]["status"] == "completed"
    assert ended["completedAt"] == START_MS


async def test_a_result_is_given_back_as_it_came(world: World) -> None:
    world.backend.answer = Outcome(Verdict.COMPLETED, b'{ "x": 1.50 }', "d", service_ms=5)
    await world.register()
    task_id = await world.create()
    assert b'"result":{ "x": 1.50 }}' in (await world.call("GET", f"/api/task/{task_id}")).content


async def test_the_same_end_twice_is_fine_and_another_is_a_conflict(world: World) -> None:
    await world.register()
    task_id = await world.create()
    assert (await world.report(task_id, status="COMPLETED", result=1)).status_code == 200
    assert (await world.report(task_id, status="COMPLETED", result=1)).status_code == 200
    other = await world.report(task_id, status="COMPLETED", result=2)
    assert (other.status_code, other.json()["code"]) == (409, "CONFLICT_RESULT")


async def test_failed_ends_the_task_and_retry_reopens_it(world: World) -> None:
    await world.register()
    task_id = await world.create()
    old = world.backend.callback(task_id)
    await world.report(task_id, status="FAILED", error={"message": "no GPU"})
    failed = (await world.call("GET", f"/api/task/{task_id}")).json()
    assert (failed["status"], failed["error"], failed["errorCode"]) == ("FAILED", "no GPU", "WORKER_FAILED")
    again = await world.call("POST", f"/api/task/{task_id}/retry")
    assert again.json() == {"message": "Task queued for retry", "taskId": task_id}
    await world.settle()
    late = await world.call("PUT", f"/api/task/{task_id}", old, {"status": "COMPLETED", "result": 1})
    assert late.status_code == 409
    task = (await world.call("GET", f"/api/task/{task_id}")).json()
    assert (task["retryCount"], task["attempt"], "error" in task) == (1, 2, False)


async def test_a_retryable_failure_goes_by_the_retry_rules(world: World) -> None:
    await world.register()
    task_id = await world.create()
    task = (await world.report(task_id, status="FAILED", error="out of memory", retryable=True)).json()
    assert (task["status"], task["state"], task["failures"]) == ("PENDING", "RETRYING", 1)
    assert task["retryAt"] >= START_MS


async def test_illegal_changes_are_400(world: World) -> None:
    task_id = await world.create()
    assert (await world.call("POST", f"/api/task/{task_id}/retry")).status_code == 400
    assert (await world.call("DELETE", f"/api/task/{task_id}")).status_code == 400
    assert (await world.call("POST", f"/api/task/{task_id}/cancel")).json()["message"] == "Task cancelled"
    assert (await world.call("POST", f"/api/task/{task_id}/cancel")).status_code == 200  # the same wish again
    assert (await world.call("POST", f"/api/task/{task_id}/retry")).status_code == 400


async def test_delete_removes_an_ended_task(world: World) -> None:
    task_id = await world.create()
    await world.call("POST", f"/api/task/{task_id}/cancel")
    assert (await world.call("DELETE", f"/api/task/{task_id}")).json() == {"message": "Task deleted", "taskId": task_id}
    gone = await world.call("GET", f"/api/task/{task_id}")
    assert (gone.status_code, gone.json()["details"]) == (404, f"Task not found: {task_id}")


async def test_listing_filters_pages_and_keeps_to_its_owner(world: World) -> None:
    mine = [await world.create() for _ in range(3)]
    await world.create("client-b")
    await world.call("POST", f"/api/task/{mine[0]}/cancel")
    page = (await world.call("GET", "/api/tasks?limit=2")).json()
    assert (page["total"], len(page["tasks"]), page["limit"], page["offset"]) == (3, 2, 2, 0)
    cancelled = (await world.call("GET", "/api/tasks?status=CANCELLED")).json()
    assert [task["id"] for task in cancelled["tasks"]] == [mine[0]]
    assert (await world.call("GET", "/api/tasks?all=true")).status_code == 403
    assert (await world.call("GET", "/api/tasks?all=true", "admin")).json()["total"] == 4
    assert (await world.call("GET", "/api/tasks", "admin")).json()["total"] == 0


async def test_a_page_lies_within_the_newest_10_000(world: World) -> None:
    """The store reads all that comes before a page, and nobody else is served meanwhile."""
    await world.create()
    assert (await world.call("GET", "/api/tasks?offset=9000&limit=1000")).json()["total"] == 1
    for query in ("offset=9001&limit=1000", "offset=10000&limit=1", "offset=9901"):
        refused = await world.call("GET", f"/api/tasks?{query}")
        assert refused.status_code == 400
        assert refused.json()["details"] == "Invalid parameter offset: offset + limit must be at most 10000"


@pytest.mark.parametrize("prefer", ["respond-async", "wait=0, respond-async", "Respond-Async;x=1"])
async def test_respond_async_answers_202(world: World, prefer: str) -> None:
    answer = await world.call("POST", "/api/task", body={**CREATE, "async": False}, headers={"Prefer": prefer})
    assert answer.status_code == 202
    assert answer.headers["Preference-Applied"].startswith("respond-async")


async def test_waiting_ends_with_the_task(world: World) -> None:
    await world.register()
    asked = asyncio.create_task(world.call("POST", "/api/task", body={**CREATE, "async": False}))
    async with asyncio.timeout(5):
        await world.backend.called.wait()
    task_id = next(iter(world.backend.grants))
    watching = asyncio.create_task(world.call("GET", f"/api/task/{task_id}", headers={"Prefer": "wait=99"}))
    await world.settle()
    assert not asked.done()
    assert not watching.done()
    await world.report(task_id, status="COMPLETED", result={"ok": True})
    assert (await asked).json()["result"] == {"ok": True}
    seen = await watching
    assert (seen.json()["status"], seen.headers["Preference-Applied"]) == ("COMPLETED", "wait=25")


async def test_the_idempotency_key_answers_the_first_task(world: World) -> None:
    key = {"Idempotency-Key": "k 1"}
    first = await world.call("POST", "/api/task", body=CREATE, headers=key)
    again = await world.call("POST", "/api/task", body=dict(reversed(CREATE.items())), headers=key)
    assert again.json()["id"] == first.json()["id"]
    assert (again.headers["Idempotency-Replayed"], "Idempotency-Replayed" in first.headers) == ("true", False)
    other = await world.call("POST", "/api/task", body={**CREATE, "priority": 2}, headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    stranger = await world.call("POST", "/api/task", "client-b", CREATE, key)
    assert stranger.json()["id"] != first.json()["id"]


async def test_a_replay_shows_the_task_as_it_is_now(world: World) -> None:
    key = {"Idempotency-Key": "k"}
    task_id = (await world.call("POST", "/api/task", body=CREATE, headers=key)).json()["id"]
    await world.call("POST", f"/api/task/{task_id}/cancel")
    assert (await world.call("POST", "/api/task", body=CREATE, headers=key)).json()["status"] == "CANCELLED"


async def test_run_at_schedules_and_shows_as_pending(world: World) -> None:
    task_id = await world.create(runAt=START_MS + 60_000, deadline=START_MS + 90_000, timeout=1.5, group="g")
    task = (await world.call("GET", f"/api/task/{task_id}")).json()
    assert (task["status"], task["state"], task["runAt"]) == ("PENDING", "SCHEDULED", START_MS + 60_000)
    assert (task["deadline"], task["timeout"], task["group"]) == (START_MS + 90_000, 1.5, "g")


async def test_a_report_names_its_attempt(world: World) -> None:
    server_id = await world.register()
    task_id = await world.create()
    path, token = f"/api/task/{task_id}", world.tokens.server(server_id)
    stale = await world.call("PUT", path, token, {"progress": 1, "attempt": 9})
    assert (stale.status_code, stale.json()["code"]) == (409, "STALE_ATTEMPT")
    assert (await world.call("PUT", path, token, {"progress": 1}, {"X-Attempt": "1"})).status_code == 200
    callback = world.backend.callback(task_id)
    header = {"X-Callback-Token": callback, "Authorization": f"Bearer {callback}"}
    assert (await world.call("PUT", path, None, {"progress": 2}, header)).json()["progress"] == 2
    assert (await world.call("PUT", path, None, {"progress": 3, "attempt": 2}, header)).status_code == 409


async def test_a_foreign_task_is_not_there(world: World) -> None:
    task_id = await world.create()
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/retry"), ("POST", "/cancel")):
        answer = await world.call(method, f"/api/task/{task_id}{path}", "client-b")
        assert (answer.status_code, answer.json()["details"]) == (404, f"Task not found: {task_id}")


async def test_a_report_may_be_as_large_as_the_answer_of_a_server() -> None:
    world = World(body=BodyLimits(max_bytes=300), results=BodyLimits(max_bytes=600))
    server_id = await world.register()
    task_id = await world.create()
    path, token = f"/api/task/{task_id}", world.backend.callback(task_id)
    assert (await world.call("PUT", path, token, {"status": "COMPLETED", "result": "x" * 600})).status_code == 413
    assert (await world.call("POST", "/api/task", body={**CREATE, "group": "x" * 300})).status_code == 413
    for teller in (token, world.tokens.server(server_id), "admin"):
        answer = await world.call("PUT", path, teller, {"status": "COMPLETED", "result": "x" * 500})
        assert answer.status_code == 200
    assert (await world.call("GET", path)).json()["result"] == "x" * 500
    await world.close()
