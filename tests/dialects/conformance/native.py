"""The native API: servers are called, claim, or hold a socket."""

from abc import ABC
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dispatcher.forward.transport import Reply
from tests.dialects.conformance.driver import ACCEPTED, Driver, Expected, Held, Refusal, Worker
from tests.dialects.farm.world import Socket
from tests.dialects.world import GatewayWorld

TASK: dict[str, Any] = {"type": "video-processing", "priority": 1, "payload": {"n": 1}}
START_MS = 1_704_556_800_000
EXPECTED = Expected(
    "PENDING", "PROCESSING", "COMPLETED", "FAILED", "CANCELLED", submitted=200,
    late=409, foreign=403, other_end=409, stopped=409, cancelled_again=200,
)  # fmt: skip


class World(GatewayWorld):
    name = "native"
    base = ""

    def __init__(self) -> None:
        super().__init__(START_MS)
        self.calls = PredictCalls()
        self.gateway.dispatch._forwarder._transport = self.calls

    async def settle(self) -> None:
        await super().settle()
        await self.gateway.dispatch.idle(1.0)


class PredictCalls:
    """A `Transport`: servers that answer 202 and report later."""

    def __init__(self) -> None:
        self.given: dict[str, list[Held]] = {}
        self.cancelled: list[str] = []

    async def request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, *, timeout_s: float, max_bytes: int
    ) -> Reply:
        server, _, what = url.removeprefix("https://").partition(".example.com/")
        if what == "cancel":
            self.cancelled.append(server)
            return Reply(200, {}, b"{}")
        held = Held(headers["X-Task-Id"], int(headers["X-Attempt"]), headers["X-Callback-Token"])
        self.given.setdefault(server, []).append(held)
        return Reply(202, {}, b"")

    async def aclose(self) -> None:
        """Nothing to close."""


class NativeDriver(Driver, ABC):
    expected = EXPECTED
    world: World
    bad_bodies = (
        {},
        [],
        {**TASK, "type": ""},
        {**TASK, "priority": 11},
        {**TASK, "priority": "1"},
        {**TASK, "payload": []},
        {**TASK, "capabilities": "video"},
        {**TASK, "deadline": START_MS - 1},
        {**TASK, "timeout": 0},
    )

    def __init__(self) -> None:
        super().__init__(World())

    async def submit(self, caller: str | None = "a", *, key: str = "", body: object = None) -> tuple[int, str]:
        headers = {"Idempotency-Key": key} if key else {}
        answer = await self.world.call("POST", "/api/task", caller, TASK if body is None else body, headers=headers)
        return answer.status_code, answer.json().get("id", "")

    def another_body(self) -> object:
        return {**TASK, "priority": 2}

    async def see(self, task_id: str, caller: str | None = "a") -> tuple[int, str]:
        answer = await self.world.call("GET", f"/api/task/{task_id}", caller)
        return answer.status_code, answer.json().get("status", "")

    async def cancel(self, task_id: str, caller: str = "a") -> int:
        answer = await self.world.call("POST", f"/api/task/{task_id}/cancel", caller)
        await self.world.settle()
        return answer.status_code

    async def retry(self, task_id: str, caller: str = "a") -> int:
        return (await self.world.call("POST", f"/api/task/{task_id}/retry", caller)).status_code

    async def page(self, number: int, size: int, caller: str = "a") -> tuple[list[str], int]:
        found = (await self.world.call("GET", f"/api/tasks?offset={number * size}&limit={size}", caller)).json()
        return [task["id"] for task in found["tasks"]], found["total"]

    async def register(self, name: str, **more: Any) -> str:
        answer = await self.world.call("POST", "/api/servers", "admin", {"name": name, "maxConcurrent": 1, **more})
        assert answer.status_code == 200, answer.text
        self.world.tokens[name] = answer.json()["serverToken"]
        server_id: str = answer.json()["serverId"]
        return server_id

    async def work_as(self, caller: str | None) -> Refusal:
        server_id = await self.register("gpu", transport="pull")
        return (await self.world.call("POST", f"/api/servers/{server_id}/heartbeat", caller, {})).status_code


class NativeWorker(Worker, ABC):
    def __init__(self, world: World, name: str, server_id: str) -> None:
        self.world = world
        self.name = name
        self.path = f"/api/servers/{server_id}"

    async def beat(self) -> None:
        answer = await self.world.call("POST", f"{self.path}/heartbeat", self.name, {})
        assert answer.status_code == 200, answer.text

    async def report(self, held: Held, **body: Any) -> Refusal:
        """With the token of this server: as the callback token cannot say who brings it."""
        said = {"attempt": held.attempt, **body}
        answer = await self.world.call("PUT", f"/api/task/{held.task_id}", self.name, said)
        return ACCEPTED if answer.status_code == 200 else answer.status_code

    async def end(self, held: Held, how: str) -> Refusal:
        return await self.report(held, status=how.upper())

    async def is_stopped(self, held: Held) -> bool:
        return await self.report(held, status="PROCESSING", progress=1) != ACCEPTED


class PushDriver(NativeDriver):
    name = "native push"

    async def worker(self, name: str) -> Worker:
        url = f"https://{name}.example.com"
        endpoints = {"predict": f"{url}/predict", "cancel": f"{url}/cancel"}
        return CalledServer(self.world, name, await self.register(name, endpoints=endpoints))


class CalledServer(NativeWorker):
    async def take(self) -> Held | None:
        await self.world.later(1_000)  # a task that has waited is started by any gateway
        await self.world.settle()
        given = self.world.calls.given.get(self.name)
        return given.pop(0) if given else None

    async def is_stopped(self, held: Held) -> bool:
        return self.world.calls.cancelled == [self.name]


class PullDriver(NativeDriver):
    name = "native pull"

    async def worker(self, name: str) -> Worker:
        return ClaimingServer(self.world, name, await self.register(name, transport="pull"))


class ClaimingServer(NativeWorker):
    async def take(self) -> Held | None:
        answer = await self.world.call("POST", f"{self.path}/claim", self.name, {})
        assert answer.status_code in (200, 204), answer.text
        if answer.status_code == 204:
            return None
        return Held(answer.json()["taskId"], answer.json()["attempt"], answer.json()["callbackToken"])


class SocketDriver(NativeDriver):
    name = "native socket"
    expected = replace(
        EXPECTED, late="STALE_ATTEMPT", foreign="FORBIDDEN", other_end="CONFLICT_RESULT", stopped="CANCELLED"
    )

    async def worker(self, name: str) -> Worker:
        return ConnectedServer(self.world, name, await self.register(name, transport="socket"))


class ConnectedServer(NativeWorker):
    _socket: Socket | None = None

    async def connect(self) -> Socket:
        if self._socket is None:
            headers = [(b"authorization", f"Bearer {self.world.tokens[self.name]}".encode())]
            path = f"{self.path}/socket"
            scope = {"type": "websocket", "path": path, "query_string": b"", "headers": headers, "subprotocols": []}
            self._socket = Socket(self.world.gateway.asgi, scope)
            await self._socket.opened()
            assert (await self._socket.hear())["type"] == "welcome"
        return self._socket

    async def heard(self, kind: str) -> dict[str, Any]:
        """The next message of a kind; what comes before is about other things."""
        socket = await self.connect()
        while (message := await socket.hear())["type"] != kind:
            pass
        return message

    async def take(self) -> Held | None:
        socket = await self.connect()
        socket.send({"type": "ready"})
        await self.world.settle()
        if socket.silent:
            return None
        task = (await self.heard("task"))["task"]
        return Held(task["taskId"], task["attempt"])

    async def report(self, held: Held, **body: Any) -> Refusal:
        (await self.connect()).send({"type": "result", "taskId": held.task_id, "attempt": held.attempt, **body})
        ack = await self.heard("ack")
        return ACCEPTED if ack["accepted"] else str(ack["code"])

    async def is_stopped(self, held: Held) -> bool:
        message = await self.heard("control")
        return (message["action"], message["taskId"]) == ("stop", held.task_id)

    async def beat(self) -> None:
        (await self.connect()).send({"type": "heartbeat"})
        await self.heard("pong")

    async def die(self) -> None:
        await (await self.connect()).drop()
        self._socket = None
