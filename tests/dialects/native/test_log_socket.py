"""A task's log over a WebSocket."""

import asyncio
from typing import Any

import pytest

from dispatcher.dialects.native.options import NativeOptions
from dispatcher.dialects.native.socket import SocketLimits
from dispatcher.web.rates import Rates
from tests.dialects.native.sockets import Closed, Socket, connect, connected
from tests.dialects.native.test_logs import running, say
from tests.dialects.native.world import A, World


def path_of(task_id: str) -> str:
    return f"/api/task/{task_id}/logs/socket"


async def texts(socket: Socket, count: int) -> list[str]:
    return [(await socket.recv())["text"] for _ in range(count)]


async def ending(socket: Socket) -> tuple[list[dict[str, Any]], int]:
    """What comes until the socket is closed, and the code."""
    found: list[dict[str, Any]] = []
    while True:
        try:
            found.append(await socket.recv())
        except Closed as closed:
            return found, closed.code


async def test_replay_then_live_then_the_end(world: World) -> None:
    task_id = await running(world)
    await say(world, task_id, 1, "a", "b")
    async with connected(world, path=path_of(task_id)) as socket:
        read = (await world.call("GET", f"/api/task/{task_id}/logs")).json()["lines"]
        assert [await socket.recv() for _ in range(2)] == [{"type": "line", **line} for line in read]
        await say(world, task_id, 3, "c")
        assert await texts(socket, 1) == ["c"]
        socket.send({"type": "ping"})
        assert await socket.recv() == {"type": "pong"}
        socket.send({"type": "subscribe"})
        refused = await socket.recv()
        assert (refused["type"], refused["details"]) == ("error", "Unknown message type")
        await say(world, task_id, 4, "d")
        await world.report(task_id, status="FAILED", error="x")
        said, code = await ending(socket)
        assert [message.get("text") for message in said[:-1]] == ["d"]
        assert (said[-1], code) == ({"type": "end", "status": "FAILED"}, 1000)
    assert len(world.tails) == 0


async def test_it_resumes_after_a_number(world: World) -> None:
    task_id = await running(world)
    await say(world, task_id, 1, "a", "b", "c")
    socket = connect(world, path=path_of(task_id), query="after=2")
    await socket.accepted()
    assert await texts(socket, 1) == ["c"]
    await socket.drop()
    assert len(world.tails) == 0, "a client that leaves is noticed"
    await world.report(task_id, status="COMPLETED")
    late = connect(world, path=path_of(task_id), query="after=3")
    await late.accepted()
    assert await ending(late) == ([{"type": "end", "status": "COMPLETED"}], 1000)


@pytest.mark.parametrize(
    ("token", "query", "task", "code", "close"),
    [
        ("client-b", "", "", "NOT_FOUND", 4404),
        (A, "", "task_none", "NOT_FOUND", 4404),
        ("garbage", "", "", "UNAUTHORIZED", 4401),
        (A, "after=x", "", "INVALID_REQUEST", 4400),
        (A, "after=1&after=2", "", "INVALID_REQUEST", 4400),
        (A, "token=client-a", "", "UNAUTHORIZED", 4401),
    ],
)
async def test_who_may_not_and_what_makes_no_sense(
    world: World, token: str, query: str, task: str, code: str, close: int
) -> None:
    task_id = task or await running(world)
    socket = connect(world, token, path=path_of(task_id), query=query)
    await socket.accepted()
    [error], closed = await ending(socket)
    assert (error["type"], error["code"], closed) == ("error", code, close)
    assert error["requestId"]


async def test_a_first_message_may_bring_the_token_and_it_counts_as_a_call() -> None:
    world = World(rates=Rates(default=1, register=0))
    task_id = await running(world)
    await say(world, task_id, 1, "a")
    async with connected(world, None, path_of(task_id)) as socket:
        socket.send({"type": "auth", "token": A})
        assert await socket.recv() == {"type": "ready"}
        assert await texts(socket, 1) == ["a"]
    second = connect(world, path=path_of(task_id))
    await second.accepted()
    [error], _ = await ending(second)
    assert error["code"] == "RATE_LIMITED"
    await world.close()


async def test_one_that_takes_nothing_is_let_go_and_resumes() -> None:
    world = World(options=NativeOptions(stream_stall_ms=1), sockets=SocketLimits(farewell_s=0.02))
    task_id = await running(world)
    await say(world, task_id, 1, *map(str, range(1_000)))
    stuck = connect(world, path=path_of(task_id), reads=150)
    await stuck.ended()
    assert len(world.tails) == 0
    assert stuck.outbound.qsize() == 150, "it took that much"
    again = connect(world, path=path_of(task_id), query="after=149")
    await again.accepted()
    assert await texts(again, 851) == [str(n) for n in range(149, 1_000)]
    await again.drop()
    await world.close()


async def test_it_ends_with_the_gateway_the_token_and_the_task(world: World) -> None:
    task_id = await running(world)
    world.tokens.add("brief", "a", *world.tokens.authenticate(A).roles, life_ms=20)
    brief = connect(world, "brief", path=path_of(task_id))
    await brief.accepted()
    assert await ending(brief) == ([], 4401)
    async with connected(world, path=path_of(task_id)) as socket:
        await say(world, task_id, 1, "a")
        await socket.recv()
        await world.services.logs.drain()
        [error], code = await ending(socket)
        assert (error["code"], code) == ("UNAVAILABLE", 1013)


async def test_one_principal_has_so_many() -> None:
    world = World(sockets=SocketLimits(sockets=1))
    task_id = await running(world)
    async with connected(world, path=path_of(task_id)):
        await asyncio.sleep(0)
        second = connect(world, path=path_of(task_id))
        await second.accepted()
        assert await ending(second) == ([], 1008)
    await world.close()
