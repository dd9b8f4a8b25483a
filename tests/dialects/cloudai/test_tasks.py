"""Tasks over their life: what is kept free for them, their order, cancel, retry, logs."""

import json
import re
from typing import Any

import pytest

from dispatcher.dialects.cloudai.ids import new_task_id, retry_id
from dispatcher.dialects.cloudai.requests import CreateTask
from dispatcher.dialects.cloudai.urgency import urgency
from dispatcher.dialects.cloudai.wire_tasks import needs_of
from dispatcher.dialects.cloudai.workers import core_id
from dispatcher.domain.failure import Verdict
from dispatcher.domain.lane import Offer
from dispatcher.domain.resources import Resources
from tests.dialects.cloudai.conftest import OpenWorld
from tests.dialects.cloudai.world import GB, START_MS, TASK, WORKER, World


async def test_a_task_from_submit_to_end(world: World) -> None:
    await world.ready()
    task_id = await world.submit(command="sh -c 'echo a b'", user_id="ann", tag="ml-training", gpu_required="0.5")
    waiting = await world.task(task_id)
    assert (waiting["status"], waiting["assigned_worker"], waiting["submitted_at"]) == ("pending", "", START_MS // 1000)
    assert (waiting["assigned_at"], waiting["started_at"], waiting["completed_at"]) == (0, 0, 0)
    world.clock.advance(5_000)
    grant = await world.claim()
    assert grant is not None
    assert json.loads(grant.payload) == {"docker_image": "nginx:latest", "command": "sh -c 'echo a b'"}
    running = await world.task(task_id)
    assert (running["status"], running["assigned_worker"], running["attempt"]) == ("running", WORKER, 1)
    assert running["assigned_at"] == running["started_at"] == START_MS // 1000 + 5
    world.clock.advance(7_000)
    await world.end(grant)
    done = await world.task(task_id)
    assert (done["status"], done["completed_at"]) == ("completed", START_MS // 1000 + 12)


async def test_defaults(world: World) -> None:
    task_id = await world.submit(user_id=None, tag=None, k_value="", storage_required="", command=None)
    task = await world.task(task_id)
    assert (task["user_id"], task["tag"], task["k_value"], task["storage_required"]) == ("a", "", 2.0, 1.0)
    assert (task["gpu_required"], task["command"], task["retry_of"], task["error"]) == (0.0, "", "", "")


async def test_numbers_may_be_decimal_strings_and_come_back_as_numbers(world: World) -> None:
    answer = await world.call(
        "POST", "/tasks", body={**TASK, "cpu_required": " 1.5 ", "memory_required": "2", "k_value": "2.5"}
    )
    assert answer.json()["task"]["k_value"] == 2.5
    task = await world.task(answer.json()["task_id"])
    assert (task["cpu_required"], task["memory_required"]) == (1.5, 2.0)
    assert all(isinstance(task[name], float) for name in ("cpu_required", "memory_required", "k_value"))


async def test_a_worker_without_resources_gets_no_task(world: World) -> None:
    await world.register()
    await world.submit(cpu_required=0.001, memory_required=0.000001, storage_required=0)
    assert await world.claim() is None


def test_a_little_is_never_nothing() -> None:
    body = CreateTask(
        docker_image="x", cpu_required=1, memory_required=1e-12, storage_required=1e-12, gpu_required=1e-9
    )
    assert needs_of(body) == Resources(cpu=1, memory=1, storage=1, gpu=0.001)


async def test_what_runs_never_takes_more_than_there_is(world: World) -> None:
    await world.ready(total=Resources(cpu=2, memory=8 * GB, storage=10 * GB, gpu=1))
    await world.submit(cpu_required=1.5, gpu_required=1, storage_required=4)
    too_much = await world.submit(cpu_required=0.6)
    first = await world.claim()
    assert first is not None
    assert await world.claim() is None
    worker = (await world.read("/workers"))["workers"][0]
    assert worker["allocated_resources"] == {"cpu": 1.5, "memory": 2.0, "storage": 4.0, "gpu": 1.0}
    assert worker["available_resources"] == {"cpu": 0.5, "memory": 6.0, "storage": 6.0, "gpu": 0.0}
    await world.end(first)
    second = await world.claim()
    assert second is not None
    assert second.task_id == too_much
    assert (await world.read("/workers"))["workers"][0]["allocated_resources"]["cpu"] == 0.6


async def test_a_worker_that_shrank_has_nothing_left_rather_than_less_than_nothing(world: World) -> None:
    await world.ready()
    await world.running(cpu_required=6)
    smaller = Offer(frozenset({"docker"}), resources=Resources(cpu=4, memory=16 * GB))
    await world.services.servers.reoffer(core_id("default", WORKER), smaller)
    worker = (await world.read("/workers"))["workers"][0]
    assert (worker["allocated_resources"]["cpu"], worker["available_resources"]["cpu"]) == (6.0, 0.0)


async def test_a_higher_k_value_goes_first(world: World) -> None:
    await world.ready()
    ids = {k: await world.submit(k_value=k) for k in (1.5, 2.0, 2.001, 2.5)}
    order = [grant.task_id for _ in ids if (grant := await world.claim()) is not None]
    assert order == [ids[2.5], ids[2.001], ids[2.0], ids[1.5]]


def test_urgency_grows_with_the_k_value() -> None:
    assert (urgency(1.5), urgency(2.0), urgency(2.5)) == (10, 50, 90)


@pytest.mark.parametrize("running", [False, True])
async def test_cancel(world: World, running: bool) -> None:
    await world.ready()
    task_id = (await world.running())[0] if running else await world.submit()
    for _ in range(2):  # again: the same answer
        answer = await world.call("DELETE", f"/tasks/{task_id}")
        assert (answer.status_code, answer.json()["success"]) == (200, True)
    assert (await world.task(task_id))["status"] == "cancelled"


@pytest.mark.parametrize(("verdict", "word"), [(Verdict.COMPLETED, "completed"), (Verdict.FAILED, "failed")])
async def test_what_has_ended_cannot_be_cancelled(world: World, verdict: Verdict, word: str) -> None:
    await world.ready()
    task_id, grant = await world.running()
    await world.end(grant, verdict)
    answer = await world.call("DELETE", f"/tasks/{task_id}")
    assert (answer.status_code, answer.json()["error"]) == (400, f"Task {task_id} is already {word}")


async def test_a_retry_is_one_new_task_however_often_it_is_asked_for(world: World) -> None:
    await world.ready()
    asked: dict[str, Any] = {"command": "x", "user_id": "ann", "tag": "batch-job", "k_value": 2.2, "cpu_required": 3}
    task_id, grant = await world.running(**asked)
    await world.fail(grant, "Exit code 7")
    assert (await world.task(task_id))["error"] == "Exit code 7"
    answers = []
    for caller in ("a", "a", "admin"):
        answers.append((await world.call("PUT", f"/tasks/{task_id}/retry", caller)).json())
        world.clock.advance(10_000)
    assert answers[0] == answers[1] == answers[2]
    new_id = answers[0]["new_task_id"]
    assert len((await world.read("/tasks"))["tasks"]) == 2
    new, old = await world.task(new_id, "a"), await world.task(task_id, "a")
    assert (old["status"], new["status"], new["retry_of"]) == ("failed", "pending", task_id)
    same = [name for name in old if name.endswith("_required") or name in (*asked, "docker_image")]
    assert {name: new[name] for name in same} == {name: old[name] for name in same}
    second = await world.claim()
    assert second is not None
    assert (second.task_id, second.payload) == (new_id, grant.payload)
    await world.fail(second)
    third = (await world.call("PUT", f"/tasks/{new_id}/retry")).json()["new_task_id"]
    assert third not in (task_id, new_id), "what failed again can be retried again"


async def test_only_what_failed_can_be_retried(world: World) -> None:
    await world.ready()
    for verb in ("pending", "running", "cancelled", "completed"):
        task_id = await world.submit()
        if verb == "cancelled":
            await world.call("DELETE", f"/tasks/{task_id}")
        elif verb != "pending":
            await world.call("DELETE", f"/tasks/{task_id}")
            task_id, grant = await world.running()
            if verb == "completed":
                await world.end(grant)
        answer = await world.call("PUT", f"/tasks/{task_id}/retry")
        assert (answer.status_code, verb in answer.json()["error"]) == (400, True)
        await world.call("DELETE", f"/tasks/{task_id}")


def test_ids_never_meet_and_hold_the_time() -> None:
    made = {new_task_id(START_MS) for _ in range(100)}
    assert len(made) == 100
    for task_id in (*made, retry_id("task-123", START_MS)):
        assert re.fullmatch(rf"task-{START_MS}\d{{15}}", task_id)
    assert retry_id("task-123", START_MS) != retry_id("task-124", START_MS)


async def test_a_submit_can_be_repeated_under_its_key(world: World) -> None:
    answers = [await world.call("POST", "/tasks", body=TASK, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert answers[0].json()["task_id"] == answers[1].json()["task_id"]
    assert answers[0].headers["Location"] == f"/cloudai/api/tasks/{answers[0].json()['task_id']}"


async def test_lists_are_narrowed_and_paged_newest_first(world: World) -> None:
    await world.ready()
    done, grant = await world.running()
    await world.end(grant)
    ids = [await world.submit() for _ in range(3)]
    answer = await world.call("GET", "/tasks?status=pending&limit=2&offset=1")
    assert [task["task_id"] for task in answer.json()["tasks"]] == [ids[1], ids[0]]
    assert answer.headers["X-Total-Count"] == "3"
    assert [task["task_id"] for task in (await world.read("/tasks?status=completed"))["tasks"]] == [done]
    assert "command" not in answer.json()["tasks"][0]


async def test_a_lost_attempt_goes_back_to_the_queue(world: World) -> None:
    await world.ready()
    task_id, grant = await world.running()
    await world.end(grant, Verdict.LOST)
    task = await world.task(task_id)
    assert (task["status"], task["assigned_worker"], task["started_at"]) == ("pending", "", 0)


async def test_no_task_runs_out_of_time(open_world: OpenWorld) -> None:
    world = open_world(dispatch={"timeout": "1s", "waiting_deadline": "1s"})
    await world.ready()
    task_id, _ = await world.running()
    waiting = await world.submit()
    await world.later(600_000)
    assert (await world.task(task_id))["status"] == "running"
    assert (await world.task(waiting))["status"] == "pending"


async def test_the_log_of_a_task_at_any_time(world: World) -> None:
    await world.ready()
    task_id, grant = await world.running()
    empty = await world.read(f"/tasks/{task_id}/logs", "a")
    assert empty == {"task_id": task_id, "logs": "", "status": "running", "completed_at": 0}
    lines = [f"line {n}" for n in range(1, 2_501)]
    for start in range(0, 2_500, 1_000):
        await world.say(grant, *lines[start : start + 1_000], first=start + 1)
    assert (await world.read(f"/tasks/{task_id}/logs"))["logs"].splitlines() == lines
    await world.fail(grant)
    ended = await world.read(f"/tasks/{task_id}/logs")
    assert (ended["status"], ended["completed_at"]) == ("failed", world.clock.now_ms() // 1000)
