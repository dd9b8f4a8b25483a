"""Servers that are handed their work over a WebSocket of their own."""

import asyncio
import importlib.util
import json
import logging
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from dispatcher_sdk import Backend, Context
from dispatcher_sdk.backend.calls import Calls
from dispatcher_sdk.backend.functions import Functions
from dispatcher_sdk.backend.job import Job
from dispatcher_sdk.backend.outgoing import Outgoing
from dispatcher_sdk.backend.reports import Reporter
from dispatcher_sdk.backend.socket import Socket
from tests.sdk.backend.test_pull import TASK


class Gateway:
    """The gateway's end: what each connection was sent, in order; `say` answers on the newest one."""

    def __init__(self) -> None:
        self.url = ""
        self.opened = 0
        self.bound: dict[str, int] = {}
        self.tokens: list[str | None] = []
        self.said: list[dict[str, Any]] = []
        self.refusal: tuple[int, str] | None = None
        self._socket: ServerConnection | None = None
        self._news = asyncio.Condition()

    async def handle(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        self.tokens.append(socket.request.headers.get("authorization"))
        assert socket.request.path == "/api/servers/server_1/socket"
        self.opened += 1
        if self.refusal is not None:
            code, self.refusal = self.refusal[0], None
            await socket.send(json.dumps({"type": "error", "details": "no"}))
            return await socket.close(code)
        self._socket = socket
        await self.say(type="welcome", serverId="server_1", heartbeatMs=10_000, leaseMs=30_000, **self.bound)
        async for text in socket:
            async with self._news:
                self.said.append(json.loads(text))
                self._news.notify_all()
        return None

    async def say(self, **message: Any) -> None:
        assert self._socket is not None
        await self._socket.send(json.dumps(message))

    async def hand(self, **changes: Any) -> None:
        await self.say(type="task", task={**TASK, **changes})

    async def heard(self, kind: str, times: int = 1) -> dict[str, Any]:
        """The message of this kind that came as the `times`-th."""
        async with asyncio.timeout(10), self._news:
            await self._news.wait_for(lambda: len(self.all(kind)) >= times)
        return self.all(kind)[times - 1]

    def all(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.said if message["type"] == kind]

    async def hang_up(self) -> None:
        """The connection is closed without a code."""
        assert self._socket is not None
        async with self._socket.send_context():
            self._socket.protocol.send_close()

    async def close(self, code: int) -> None:
        assert self._socket is not None
        await self._socket.close(code)


class Member:
    """A registration."""

    server_id = "server_1"
    token = "t1"

    def __init__(self) -> None:
        self.rejoined = 0

    def vitals(self) -> dict[str, object]:
        return {"activeTasks": 0, "running": []}

    def adopt(self, token: str | None) -> None:
        self.token = token or self.token

    async def rejoin(self) -> None:
        self.rejoined += 1


class World:
    def __init__(self, gateway: Gateway, function: Callable[..., Any], room: int) -> None:
        functions = Functions()
        functions.add(function, None)
        self.gateway = gateway
        self.slept: list[float] = []
        self.outgoing = Outgoing(self.pause)

        def reporter(job: Job, on_stale: Callable[[], None]) -> Reporter:
            return Reporter(job, self.outgoing.put, on_stale=on_stale)

        self.calls = Calls(functions, reporter, max_concurrent=room, report_ends=True)
        self.member = Member()
        self.socket = Socket(gateway.url, self.calls, reporter, self.outgoing, sleep=self.pause, rng=random.Random(3))
        self.work = asyncio.create_task(self.socket.work(self.member))  # type: ignore[arg-type]

    async def pause(self, seconds: float) -> None:
        if seconds == 10.0:  # between heartbeats
            await asyncio.Event().wait()
        self.slept.append(seconds)
        await asyncio.sleep(0)


@asynccontextmanager
async def world(function: Callable[..., Any], room: int = 2) -> AsyncIterator[World]:
    gateway = Gateway()
    async with serve(gateway.handle, "127.0.0.1", 0) as server:
        gateway.url = f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        made = World(gateway, function, room)
        yield made
        made.work.cancel()
        await asyncio.gather(made.work, return_exceptions=True)
        await made.socket.close(1.0)


async def accept(world: World, times: int = 1, task_id: str = "task_1", attempt: int = 1) -> dict[str, Any]:
    result = await world.gateway.heard("result", times)
    await world.gateway.say(type="ack", taskId=task_id, attempt=attempt, accepted=True)
    return result


async def idle(world: World) -> None:
    async with asyncio.timeout(10):
        while world.calls.active:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0)


async def test_the_token_is_not_written_down(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with world(lambda payload: 1) as w:
        await w.gateway.heard("ready")
    ours = [record.getMessage() for record in caplog.records if record.name != "websockets.server"]
    assert "Bearer" not in "\n".join(ours)


async def test_it_asks_for_as_many_as_have_room_and_tells_their_ends() -> None:
    async def double(payload: Any, ctx: Context) -> Any:
        ctx.progress(50)
        await asyncio.sleep(0)
        return {"double": 2 * payload["n"]}

    async with world(double) as w:
        assert (await w.gateway.heard("ready"))["slots"] == 2
        assert await w.gateway.heard("heartbeat") == {"type": "heartbeat", "activeTasks": 0, "running": []}
        await w.gateway.hand()
        assert await accept(w) == {
            "type": "result", "taskId": "task_1", "attempt": 1, "status": "COMPLETED", "result": {"double": 42},
        }  # fmt: skip
        assert await w.gateway.heard("ready", 2) == {"type": "ready", "slots": 1}
        assert w.gateway.tokens == ["Bearer t1"]


async def test_it_says_that_it_was_started_before_it_is_given_anything() -> None:
    async with world(lambda payload: 1) as w:
        for turn in (1, 2):
            await w.gateway.heard("ready", turn)
            assert [message["type"] for message in w.gateway.said] == ["heartbeat", "ready"] * turn
            await w.gateway.close(1012)


async def test_an_end_is_sent_over_every_connection_until_it_is_acknowledged() -> None:
    async with world(lambda payload: 1) as w:
        await w.gateway.heard("ready")
        await w.gateway.hand()
        await w.gateway.heard("result")
        await w.gateway.say(type="pong", serverToken="t2")
        await w.gateway.say(type="error", code="UNAVAILABLE", taskId="task_1", attempt=1, details="d")
        await w.gateway.heard("result", 2)
        await w.gateway.close(1012)
        await w.gateway.heard("result", 3)
        assert w.calls.active == 1, "it holds its slot until then"
        await w.socket.abandon()
        await w.gateway.say(type="ack", taskId="task_1", attempt=1, accepted=False, code="STALE_ATTEMPT")
        await idle(w)
        await w.gateway.close(1012)
        await w.gateway.heard("ready", 3)
        assert len(w.gateway.all("result")) == 3
        assert not w.gateway.all("release"), "it has ended"
        assert w.gateway.tokens[-1] == "Bearer t2"


async def test_it_is_told_to_stop_and_to_hold_back() -> None:
    states: list[bool] = []
    began = asyncio.Event()

    async def endless(payload: Any, ctx: Context) -> Any:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            states.append(ctx.paused)

    async with world(endless) as w:
        await w.gateway.heard("ready")
        await w.gateway.hand()
        await began.wait()
        for action in ("pause", "dance"):  # what is not known changes nothing
            await w.gateway.say(type="control", action=action, taskId="task_1", attempt=1, reason="")
        await w.gateway.say(type="control", action="stop", taskId="task_1", attempt=1, reason="")
        assert (await accept(w))["error"] == "cancelled"
        assert states == [True]
        await w.gateway.say(type="control", action="stop", taskId="task_9", attempt=4, reason="")
        released = await w.gateway.heard("release")
        assert (released["taskId"], released["attempt"]) == ("task_9", 4)


async def test_progress_that_nobody_wants_stops_the_function() -> None:
    async def endless(payload: Any, ctx: Context) -> Any:
        ctx.progress(1)
        await asyncio.Event().wait()

    async with world(endless) as w:
        await w.gateway.heard("ready")
        await w.gateway.hand()
        assert await w.gateway.heard("progress") == {
            "type": "progress", "taskId": "task_1", "attempt": 1, "status": "PROCESSING", "progress": 1,
        }  # fmt: skip
        await w.gateway.say(type="error", code="CANCELLED", taskId="task_1", attempt=1, details="d")
        assert (await accept(w))["status"] == "FAILED"


@pytest.mark.parametrize("code", [4401, 4403, 4404])
async def test_a_server_that_is_not_known_registers_again(code: int) -> None:
    async with world(lambda payload: 1) as w:
        await w.gateway.heard("ready")
        w.gateway.refusal = (code, "")
        await w.gateway.close(1012)
        await w.gateway.heard("ready", 2)
        assert (w.member.rejoined, w.gateway.opened) == (1, 3)


async def test_a_gateway_that_is_away_is_tried_less_and_less_often() -> None:
    async with world(lambda payload: 1) as w:
        await w.gateway.heard("ready")
        url, w.socket._url = w.socket._url, "ws://127.0.0.1:1"
        await w.gateway.close(1012)
        async with asyncio.timeout(10):
            while len(w.slept) < 12:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.001)
        w.socket._url = url
        await w.gateway.heard("ready", 2)
        ceilings = [min(15.0, 0.5 * 2**n) for n in range(12)]
        assert all(0 <= slept <= ceiling for slept, ceiling in zip(w.slept, ceilings, strict=False))
        assert max(w.slept) > 5
        assert w.socket._failures == 0


async def test_a_result_too_large_for_the_gateway_fails_the_task() -> None:
    async with world(lambda payload: "x" * 1_000) as w:
        await w.gateway.heard("ready")
        await w.gateway.hand()
        await w.gateway.heard("result")
        await w.gateway.close(1009)
        failed = await accept(w, 2)
        assert (failed["status"], failed["retryable"]) == ("FAILED", False)
        await idle(w)


async def test_a_result_over_the_bound_that_the_gateway_tells_is_not_sent() -> None:
    async with world(lambda payload: "é" * 400) as w:
        w.gateway.bound = {"maxMessage": 800}
        await w.gateway.heard("ready")
        await w.gateway.hand()
        failed = await accept(w)
        assert (failed["status"], failed["retryable"], w.gateway.opened) == ("FAILED", False, 1)
        await idle(w)


async def test_of_a_gateway_that_tells_no_bound_8_mib_are_believed() -> None:
    async with world(lambda payload: "x" * (payload["n"] << 20)) as w:
        await w.gateway.heard("ready")
        await w.gateway.hand(payload={"n": 8})
        assert (await accept(w))["status"] == "FAILED"
        await idle(w)


@pytest.mark.parametrize(("code", "status"), [(None, "FAILED"), (1012, "COMPLETED")])
async def test_a_result_that_breaks_three_connections_fails_the_task_after_the_others_are_through(
    code: int | None, status: str
) -> None:
    async with world(lambda payload: "x" * payload["n"]) as w:
        await w.gateway.heard("ready")
        await w.gateway.hand(payload={"n": 100_000})
        await w.gateway.heard("result")
        await w.gateway.hand(taskId="task_2", payload={"n": 1})
        await w.gateway.heard("result", 2)
        for times in (1, 2, 3):
            await (w.gateway.hang_up() if code is None else w.gateway.close(code))
            if times == 1:
                assert (await w.gateway.heard("result", 3))["taskId"] == "task_2"
                await w.gateway.say(type="ack", taskId="task_2", attempt=1, accepted=True)
            last = await accept(w, times + 3) if times == 3 else await w.gateway.heard("result", times + 3)
        assert (last["taskId"], last["status"]) == ("task_1", status)
        await idle(w)


async def test_draining_it_asks_for_no_more_and_hands_back_what_is_left() -> None:
    async def endless(payload: Any) -> Any:
        await asyncio.Event().wait()

    async with world(endless) as w:
        await w.gateway.heard("ready")
        await w.gateway.hand()
        await w.gateway.say(type="control", action="resume", taskId="task_1", attempt=1, reason="")
        async with asyncio.timeout(10):
            while not w.calls.active:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0)
        await w.socket.drain()
        await w.gateway.hand(taskId="task_2")
        assert (await w.gateway.heard("release"))["taskId"] == "task_2"
        await w.socket.abandon()
        assert (await w.gateway.heard("release", 2))["taskId"] == "task_1"
        await w.calls.cancel("task_1", None, 0)
        await accept(w)
        await idle(w)
        await w.gateway.say(type="control", action="stop", taskId="task_9", attempt=1, reason="")
        await w.gateway.heard("release", 3)
        assert len(w.gateway.all("ready")) == 1


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    Backend("b", transport="socket", host="")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"/sdk\[socket\]"):
        Backend("b", transport="socket")
    Backend("b", transport="pull")
