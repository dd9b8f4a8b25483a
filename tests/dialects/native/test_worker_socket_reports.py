"""What a worker reports on its socket, and what it is answered."""

from typing import Any

import pytest

from dispatcher.domain.transitions import TaskState
from tests.dialects.native.worker_sockets import a_worker, about, handed, not_called, working
from tests.dialects.native.world import World


async def test_failures_and_releases_mean_what_they_mean_over_http(world: World) -> None:
    server_id = await a_worker(world)
    async with working(world, server_id) as socket:
        task = await handed(world, socket)
        socket.send(about(task, "release"))
        assert (await socket.recv())["accepted"]
        found = (await world.store.tasks.get(task["taskId"]))[0]
        assert found is not None
        assert (found.state, found.failures, found.losses) == (TaskState.PENDING, 0, 0)
        socket.send({"type": "ready", "slots": 1})
        again = (await socket.recv())["task"]
        assert again["attempt"] == 2
        socket.send(about(task, "result", status="COMPLETED", result=1))
        assert (await socket.recv())["code"] == "STALE_ATTEMPT"
        socket.send(about(again, "result", status="FAILED", error="no", retryable=False))
        assert (await socket.recv())["accepted"]
        shown = (await world.call("GET", f"/api/task/{task['taskId']}")).json()
        assert (shown["status"], shown["error"], shown["errorCode"]) == ("FAILED", "no", "WORKER_FAILED")


async def test_what_a_server_declines_goes_to_others_and_ends_with_its_words(world: World) -> None:
    server_id = await a_worker(world)
    async with working(world, server_id) as socket:
        task = await handed(world, socket)
        socket.send(about(task, "release", declined=""))
        told = await socket.recv()
        assert (told["type"], told["field"]) == ("error", "declined")
        socket.send(about(task, "release", declined="image evil:1 is not allowed"))
        assert (await socket.recv())["accepted"]
        other = await handed(world, socket)
        shown = (await world.call("GET", f"/api/task/{task['taskId']}")).json()
        assert (shown["status"], "error" in shown) == ("PENDING", False)
        assert [attempt["status"] for attempt in shown["attempts"]] == ["declined"]
        for _ in range(2):
            socket.send({"type": "heartbeat", "running": [other["taskId"]]})
            assert (await socket.recv())["type"] == "pong"
            world.clock.advance(15_000)
            await world.store.tasks.tick(gateway="gw_1")
        shown = (await world.call("GET", f"/api/task/{task['taskId']}")).json()
        assert (shown["status"], shown["errorCode"]) == ("FAILED", "DECLINED")
        assert shown["error"] == "No worker took it; the last one said: image evil:1 is not allowed"


async def test_progress_that_nobody_wants_says_so_and_what_it_was_about(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.backend, "cancel", not_called)
    server_id = await a_worker(world)
    async with working(world, server_id) as socket:
        task = await handed(world, socket)
        await world.call("POST", f"/api/task/{task['taskId']}/cancel")
        socket.send(about(task, "progress", progress=50))
        error = await socket.recv()
        assert (error["type"], error["code"], error["taskId"], error["attempt"]) == (
            "error", "CANCELLED", task["taskId"], 1,
        )  # fmt: skip
        assert error["requestId"]


@pytest.mark.parametrize(
    "message",
    [
        "x", [], {}, {"type": "shout"}, {"type": "ready", "slots": 0}, {"type": "ready", "slots": 257},
        {"type": "ready", "slots": "1"}, {"type": "heartbeat", "status": "fine"}, {"type": "heartbeat", "running": 1},
        {"type": "heartbeat", "metrics": {"x": "y" * 9_000}}, {"type": "progress", "taskId": "t1", "attempt": 0},
        {"type": "progress", "taskId": "t1", "attempt": 1, "progress": 101}, {"type": "progress", "progress": 1},
        {"type": "progress", "taskId": "t1", "attempt": 1, "metrics": {"x": "y" * 9_000}},
        {"type": "progress", "taskId": "nothing", "attempt": 1}, {"type": "progress", "taskId": "a/b", "attempt": 1},
        {"type": "result", "taskId": "t1", "attempt": 1}, {"type": "result", "status": "COMPLETED"},
        {"type": "result", "taskId": "t1", "attempt": 1, "status": "PROCESSING"},
        {"type": "result", "taskId": "t1", "attempt": True, "status": "COMPLETED"},
        {"type": "release", "taskId": "t" * 65, "attempt": 1},
    ],
)  # fmt: skip
async def test_a_wrong_message_is_answered_and_the_socket_stays(world: World, message: Any) -> None:
    server_id = await a_worker(world)
    async with working(world, server_id) as socket:
        socket.send(message)
        answer = await socket.recv()
        assert answer["type"] == "error"
        assert answer["code"] in ("INVALID_REQUEST", "NOT_FOUND")
        socket.send({"type": "ping"})
        assert (await socket.recv())["type"] == "pong"


async def test_reports_on_what_it_never_had_are_refused(world: World) -> None:
    server_id, other = await a_worker(world), await a_worker(world)
    async with working(world, server_id) as mine, working(world, other) as theirs:
        task = await handed(world, theirs)
        mine.send(about(task, "result", status="COMPLETED", result=1))
        assert await mine.recv() == {**about(task, "ack"), "accepted": False, "code": "FORBIDDEN"}
        mine.send({"type": "release", "taskId": "nothing", "attempt": 1})
        assert (await mine.recv())["code"] == "NOT_FOUND"
