"""The socket: who may open it, what it is told, what closes it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from dispatcher.dialects.native.socket import SocketLimits
from dispatcher.domain.principal import Role
from dispatcher.store.options import StoreOptions
from dispatcher.web.rates import Rates
from tests.dialects.native.sockets import Closed, connect, connected, events
from tests.dialects.native.world import World


@pytest.fixture
async def small() -> AsyncIterator[World]:
    """Tight limits: 2 subscriptions, 3 messages a second, 4 updates kept."""
    limits = SocketLimits(subscriptions=2, messages_per_second=5, max_message=200, sign_in_s=0.01)
    made = World(sockets=limits, store_options=StoreOptions(updates_kept=4))
    yield made
    await made.close()


async def test_a_snapshot_then_each_update(world: World) -> None:
    await world.register()
    task_id = await world.create()
    async with events(world), connected(world) as socket:
        socket.send({"type": "subscribe", "taskId": task_id})
        assert await socket.recv() == {"type": "subscribed", "taskId": task_id}
        first = await socket.recv()
        shown = (await world.call("GET", f"/api/task/{task_id}")).json()
        assert (first["type"], first["task"], "reset" in first) == ("task.update", shown, False)
        await world.report(task_id, progress=30)
        await world.report(task_id, status="COMPLETED", result={"ok": 1})
        second, third = await socket.recv(), await socket.recv()
        assert [m["rev"] for m in (second, third)] == [first["rev"] + 1, first["rev"] + 2]
        assert (second["task"]["status"], second["task"]["progress"]) == ("PROCESSING", 30)
        assert third["task"] == (await world.call("GET", f"/api/task/{task_id}")).json()


async def test_resuming_brings_what_was_missed_and_nothing_twice(world: World) -> None:
    await world.register()
    task_id = await world.create()
    async with connected(world) as socket:
        socket.send({"type": "subscribe", "taskId": task_id})
        await socket.recv()
        rev = (await socket.recv())["rev"]
    for percent in (10, 20, 30):
        await world.report(task_id, progress=percent)
    async with connected(world) as socket:
        socket.send({"type": "subscribe", "taskId": task_id, "rev": rev})
        await socket.recv()
        missed = [await socket.recv() for _ in range(3)]
        assert [(m["rev"] - rev, m["task"]["progress"]) for m in missed] == [(1, 10), (2, 20), (3, 30)]
        socket.send({"type": "ping"})
        assert await socket.recv() == {"type": "pong"}


@pytest.mark.parametrize("rev", [0, 999_999])
async def test_a_trimmed_or_impossible_revision_is_answered_by_a_reset(small: World, rev: int) -> None:
    await small.register()
    task_id = await small.create()
    for percent in range(1, 10):
        await small.report(task_id, progress=percent)
    async with connected(small) as socket:
        socket.send({"type": "subscribe", "taskId": task_id, "rev": rev})
        await socket.recv()
        snapshot = await socket.recv()
        assert (snapshot["reset"], snapshot["task"]["progress"]) == (True, 9)


async def test_lost_news_make_the_socket_look_for_itself(world: World) -> None:
    await world.register()
    task_id = await world.create()
    async with connected(world) as socket:
        socket.send({"type": "subscribe", "taskId": task_id})
        await socket.recv()
        await socket.recv()
        await world.report(task_id, progress=50)  # nobody tells the socket
        world.services.watch.interrupted()
        assert (await socket.recv())["task"]["progress"] == 50


async def test_unsubscribing_ends_the_updates(world: World) -> None:
    await world.register()
    task_id = await world.create()
    async with events(world), connected(world) as socket:
        socket.send({"type": "subscribe", "taskId": task_id})
        await socket.recv()
        await socket.recv()
        socket.send({"type": "unsubscribe", "taskId": task_id})
        assert await socket.recv() == {"type": "unsubscribed", "taskId": task_id}
        await world.report(task_id, progress=50)
        socket.send({"type": "ping"})
        assert (await socket.recv())["type"] == "pong"
    assert len(world.services.watch) == 0


async def test_a_deleted_task_is_told_as_gone(world: World) -> None:
    task_id = await world.create()
    await world.call("POST", f"/api/task/{task_id}/cancel")
    async with connected(world) as socket:
        socket.send({"type": "subscribe", "taskId": task_id})
        await socket.recv()
        await socket.recv()
        await world.call("DELETE", f"/api/task/{task_id}")
        world.services.watch.interrupted()
        assert (await socket.recv())["code"] == "NOT_FOUND"


async def test_a_foreign_task_is_not_there(world: World) -> None:
    task_id = await world.create("client-b")
    async with connected(world) as socket:
        socket.send({"type": "subscribe", "taskId": task_id})
        error = await socket.recv()
        assert (error["type"], error["error"], error["code"]) == ("error", "Not found", "NOT_FOUND")
        assert error["details"] == f"Task not found: {task_id}"
        assert error["requestId"]
    assert len(world.services.watch) == 0
    async with connected(world, "admin") as socket:
        socket.send({"type": "subscribe", "taskId": task_id})
        assert (await socket.recv())["type"] == "subscribed"


@pytest.mark.parametrize(
    "message",
    [
        {}, {"type": 1}, {"type": "shout"}, {"type": "subscribe"}, {"type": "subscribe", "taskId": 1},
        {"type": "subscribe", "taskId": "x", "rev": "1"}, {"type": "subscribe", "taskId": "x", "rev": -1},
        {"type": "subscribe", "taskId": "x", "rev": True}, {"type": "subscribe", "taskId": "\x00" * 99},
        {"type": "auth", "token": "client-b"}, {"type": "unsubscribe"}, [], "x",
    ],
)  # fmt: skip
async def test_a_wrong_message_is_answered_and_the_socket_stays(world: World, message: Any) -> None:
    async with connected(world) as socket:
        socket.send(message)
        assert (await socket.recv())["type"] == "error"
        socket.send({"type": "ping"})
        assert (await socket.recv())["type"] == "pong"


async def test_the_three_ways_to_sign_in(world: World) -> None:
    async with connected(world) as socket:
        socket.send({"type": "ping"})
        assert (await socket.recv())["type"] == "pong"
    socket = connect(world, None, subprotocols=["bearer", "client-a"])
    assert (await socket.accepted())["subprotocol"] == "bearer"
    socket.send({"type": "ping"})
    assert (await socket.recv())["type"] == "pong"
    await socket.drop()
    async with connected(world, None) as socket:
        socket.send({"type": "auth", "token": "client-a"})
        assert (await socket.recv())["type"] == "ready"
    assert [line["caller"] for line in world.log.lines] == ["default/a"] * 3


@pytest.mark.parametrize(
    "first",
    [
        {"type": "subscribe", "taskId": "x"},
        {"type": "auth"},
        {"type": "auth", "token": 1},
        {"type": "auth", "token": "no"},
        None,
    ],
)
async def test_nobody_is_closed_with_4401(small: World, first: object) -> None:
    socket = connect(small, None)
    await socket.accepted()
    if first is not None:
        socket.send(first)
    assert (await socket.recv())["code"] == "UNAUTHORIZED"
    with pytest.raises(Closed) as closed:
        await socket.recv()
    assert closed.value.code == 4401
    await socket.ended()


@pytest.mark.parametrize("query", ["token=client-a", "access_token=client-a"])
async def test_a_token_in_the_query_is_refused(world: World, query: str) -> None:
    socket = connect(world, query=query)
    await socket.accepted()
    assert (await socket.recv())["code"] == "UNAUTHORIZED"
    await socket.ended()


async def test_the_socket_ends_with_its_token(world: World) -> None:
    token = world.tokens.add("short", "a", Role.CLIENT, life_ms=20)
    socket = connect(world, token)
    await socket.accepted()
    with pytest.raises(Closed) as closed:
        await socket.recv()
    assert closed.value.code == 4401
    assert len(world.services.watch) == 0


@pytest.mark.parametrize(
    ("message", "times", "code"),
    [
        ({"type": "websocket.receive", "bytes": b"{}"}, 1, 1003),
        ({"type": "websocket.receive", "text": "x" * 201}, 1, 1009),
        ({"type": "websocket.receive", "text": '{"type":"ping"}'}, 6, 1008),
    ],
)
async def test_what_closes_the_socket(small: World, message: dict[str, Any], times: int, code: int) -> None:
    socket = connect(small)
    await socket.accepted()
    for _ in range(times):
        socket.send_raw(message)
    for _ in range(times - 1):
        assert (await socket.recv())["type"] == "pong"
    with pytest.raises(Closed) as closed:
        await socket.recv()
    assert closed.value.code == code
    await socket.ended()


async def test_subscriptions_are_bounded(small: World) -> None:
    tasks = [await small.create() for _ in range(3)]
    async with connected(small) as socket:
        for task_id in tasks:
            socket.send({"type": "subscribe", "taskId": task_id})
        kinds = [(await socket.recv())["type"] for _ in range(5)]
        assert kinds == ["subscribed", "task.update"] * 2 + ["error"]


async def test_a_reader_that_stopped_is_let_go() -> None:
    world = World(sockets=SocketLimits(queue=3, farewell_s=0.01))
    socket = connect(world, reads=1)  # takes the accept, and no more
    for _ in range(9):
        socket.send({"type": "ping"})
    await socket.ended()
    assert len(world.services.watch) == 0
    await world.close()


async def test_opening_sockets_counts_as_calls() -> None:
    world = World(rates=Rates(default=1))
    await (first := connect(world)).accepted()
    await (second := connect(world)).accepted()
    assert (await second.recv())["code"] == "RATE_LIMITED"
    with pytest.raises(Closed) as closed:
        await second.recv()
    assert closed.value.code == 1008
    await first.drop()
    await world.close()


async def test_a_request_without_the_upgrade_is_told_to_make_one(world: World) -> None:
    answer = await world.call("GET", "/ws", None)
    assert (answer.status_code, answer.headers["Upgrade"], answer.headers["Connection"]) == (
        426,
        "websocket",
        "Upgrade",
    )
    error = answer.json()
    assert (error["error"], error["code"]) == ("Upgrade required", "UPGRADE_REQUIRED")
    assert error["requestId"] == answer.headers["X-Request-Id"]
    assert (await world.call("POST", "/ws", None)).headers["Allow"] == "GET, HEAD"
