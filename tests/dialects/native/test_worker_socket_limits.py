"""What closes a worker's socket, or gives a task back."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from dispatcher.dialects.native.options import NativeOptions
from dispatcher.dialects.native.worker_socket import WorkerSocketLimits
from dispatcher.domain.transitions import TaskState
from dispatcher.web.body import BodyLimits
from dispatcher.web.rates import Rates
from tests.dialects.native.sockets import connect, connected
from tests.dialects.native.worker_sockets import a_worker, about, closed_with, handed, path_of, working
from tests.dialects.native.world import World


async def limited(**limits: Any) -> tuple[World, str]:
    beat = {"options": NativeOptions(heartbeat_ms=limits.pop("heartbeat_ms", 10_000))}
    rates = Rates(report=limits.pop("report", 6000), output=limits.pop("output", 6000), register=0)
    world = World(worker_sockets=WorkerSocketLimits(**limits), rates=rates, results=BodyLimits(max_bytes=4_000), **beat)
    return world, await a_worker(world)


async def test_a_silent_socket_is_closed() -> None:
    world, server_id = await limited(heartbeat_ms=10)
    async with working(world, server_id) as socket:
        world.clock.advance(30)
        assert await closed_with(socket) == 4408
    await world.close()


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"type": "websocket.receive", "bytes": b"x"}, 1003),
        ({"type": "websocket.receive", "text": '{"type":"heartbeat","x":"' + "x" * 2_000 + '"}'}, 1009),
        ({"type": "websocket.receive", "text": '{"type":"result","type":"' + "x" * 2_000 + '"}'}, 1009),
        ({"type": "websocket.receive", "text": "x" * 70_000}, 1009),
    ],
)
async def test_messages_that_close_it(message: Any, code: int) -> None:
    world, server_id = await limited(max_message=2_000)
    async with working(world, server_id) as socket:
        task = await handed(world, socket)
        socket.send(about(task, "result", status="COMPLETED", result="x" * 3_000))
        assert (await socket.recv())["accepted"], "a result may be larger"
        socket.send_raw(message)
        assert await closed_with(socket) == code
    await world.close()


async def test_no_message_may_be_larger_than_every_server_carries() -> None:
    world = World(results=BodyLimits(max_bytes=1 << 30))
    async with connected(world, "admin", path_of(await a_worker(world))) as socket:
        most = (await socket.recv())["maxMessage"]
        assert (15 << 20) < most < (16 << 20)
        socket.send_raw({"type": "websocket.receive", "text": "x" * (most + 1)})
        assert await closed_with(socket) == 1009
    await world.close()


async def test_a_flood_closes_it_and_a_rate_is_told() -> None:
    world, server_id = await limited(messages_per_second=3, report=2)
    async with working(world, server_id) as socket:  # opening counts as well
        socket.send({"type": "heartbeat"})
        assert (await socket.recv())["type"] == "pong"
        socket.send({"type": "release", "taskId": "t1", "attempt": 1})
        error = await socket.recv()
        assert (error["code"], error["taskId"]) == ("RATE_LIMITED", "t1")
        task_id = await world.create()
        socket.send({"type": "ready"})  # is said only once
        assert (await socket.recv())["task"]["taskId"] == task_id
        socket.send({"type": "ping"})
        assert await closed_with(socket) == 1008
    await world.close()


async def test_an_end_of_a_command_that_came_too_fast_is_named() -> None:
    world, server_id = await limited(report=1)
    async with working(world, server_id) as socket:
        for message in ({"type": "commandDone", "id": "op_1-0"}, {"type": ["commandDone"], "id": "op_1-0"}):
            socket.send(message)
            error = await socket.recv()
            assert error["code"] == "RATE_LIMITED"
            assert error.get("id") == ("op_1-0" if message["type"] == "commandDone" else None)
    await world.close()


async def test_what_its_tasks_say_and_leave_is_counted_apart_from_what_keeps_them_alive() -> None:
    world, server_id = await limited(output=2)
    async with working(world, server_id) as socket:
        task = await handed(world, socket)
        path, token = f"/api/task/{task['taskId']}", f"server-{server_id}"
        lines = {"attempt": 1, "first": 1, "lines": [{"text": "x"}]}
        assert (await world.call("POST", f"{path}/logs", token, lines)).status_code == 200
        kept = await world.call("PUT", f"{path}/files/a", token, raw=b"x")
        assert (kept.status_code, kept.headers["X-RateLimit-Remaining"]) == (200, "0")
        refused = await world.call("POST", f"{path}/logs", token, lines)
        assert (refused.status_code, refused.json()["code"]) == (429, "RATE_LIMITED")
        socket.send({"type": "heartbeat"})
        assert (await socket.recv())["type"] == "pong"
        by_attempt = await world.call("POST", f"{path}/logs", task["callbackToken"], lines)
        assert by_attempt.headers["X-RateLimit-Remaining"] == "1", "a counter of its own"
        socket.send(about(task, "result", status="COMPLETED", result=1))
        assert (await socket.recv())["accepted"]
    await world.close()


async def test_one_principal_has_so_many_sockets() -> None:
    world, server_id = await limited(sockets=1)
    other = await a_worker(world)
    async with working(world, server_id, "admin"):
        socket = connect(world, "admin", path=path_of(other))
        await socket.accepted()
        assert await closed_with(socket) == 1008
    async with working(world, other, "admin"):
        pass
    await world.close()


async def test_a_task_that_nobody_reads_goes_back(world: World) -> None:
    server_id = await a_worker(world)
    task_id = await world.create()
    socket = connect(world, "admin", path=path_of(server_id), reads=2)
    socket.send({"type": "ready"})
    await world.settle()
    assert socket.outbound.qsize() == 2, "accepted and welcomed, and the task waits to be written"
    assert (await world.store.tasks.get(task_id))[0].state is TaskState.PROCESSING  # type: ignore[union-attr]
    await socket.drop()
    await world.settle()
    task = (await world.store.tasks.get(task_id))[0]
    assert task is not None
    assert (task.state, task.losses) == (TaskState.PENDING, 0)


async def test_a_reader_too_slow_is_closed() -> None:
    world, server_id = await limited(queue=2, farewell_s=0.02)
    socket = connect(world, "admin", path=path_of(server_id), reads=2)
    for _ in range(5):
        socket.send({"type": "ping"})
    await socket.ended()
    assert len(world.services.sessions) == 0
    await world.close()


async def test_a_fault_of_ours_is_logged_and_tells_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("password=hunter2 at 10.0.0.1")

    monkeypatch.setattr(world.store.servers, "heartbeat", broken)
    server_id = await a_worker(world)
    with capture_logs() as logged:
        async with working(world, server_id) as socket:
            socket.send({"type": "heartbeat"})
            error = await socket.recv()
            assert (error["code"], error["details"]) == ("INTERNAL_ERROR", "An unexpected error occurred")
            assert await closed_with(socket) == 1011
    (line,) = [line for line in logged if line["event"] == "unexpected"]
    assert line["request_id"] == error["requestId"]
