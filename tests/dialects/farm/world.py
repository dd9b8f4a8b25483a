"""The gateway with the farm: what its clients say over their sockets, and what is asked over REST."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from starlette.types import ASGIApp

from tests.dialects.sockets import Closed, Denied, Socket
from tests.dialects.world import GatewayWorld

__all__ = ["CLIENT", "NOBODY", "START_MS", "TASK", "Closed", "Denied", "Socket", "World"]

TASK: dict[str, Any] = {"type": "training", "name": "model_name"}
CLIENT = "client_uuid"
START_MS = 1_730_721_600_000  # 2024-11-04T12:00:00Z
NOBODY = "00000000-0000-4000-8000-000000000000"


class World(GatewayWorld):
    name = "farm"
    base = "/farm/api"

    def __init__(self, **sections: Any) -> None:
        super().__init__(START_MS, **sections)
        self.tokens["bound"] = self.issue("x", ["server"], server_id=f"farm:{CLIENT}")
        self.tokens["elsewhere"] = self.issue("pool", ["server"], "other")

    def socket(
        self,
        caller: str | None = "worker",
        client: str | None = CLIENT,
        *,
        path: str = "/farm",
        query: str = "",
        address: str = "10.0.0.9",
        headers: dict[str, str] | None = None,
        extensions: bool = True,
        reads: int = 0,
        app: ASGIApp | None = None,
    ) -> Socket:
        given = dict(headers or {})
        if caller is not None:
            given["Authorization"] = f"Bearer {self.tokens[caller]}"
        if client is not None:
            given["Client-ID"] = client
        scope = {
            "type": "websocket",
            "path": path,
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in given.items()],
            "subprotocols": [],
            "client": (address, 1),
            "extensions": {"websocket.http.response": {}} if extensions else {},
        }
        return Socket(app or self.gateway.asgi, scope, client or "", reads)

    @asynccontextmanager
    async def connected(self, client: str = CLIENT, **more: Any) -> AsyncIterator[Socket]:
        socket = self.socket(client=client, **more)
        await socket.opened()
        yield socket
        await socket.drop()

    async def create(self, caller: str = "a", **more: Any) -> str:
        answer = await self.call("POST", "/tasks", caller, {**TASK, **more})
        assert answer.status_code == 201, answer.text
        self.clock.advance(1)  # the next one is younger
        task_id: str = answer.json()["id"]
        return task_id

    async def given(self, socket: Socket, **more: Any) -> str:
        """A new task that this client has got."""
        task_id = await self.create(**more)
        socket.say("task_request")
        message = await socket.hear()
        assert (message["type"], message["data"]["id"]) == ("task", task_id)
        return task_id

    async def put(self, task_id: str, status: str, caller: str = "a", **more: Any) -> httpx.Response:
        return await self.call("PUT", f"/tasks/{task_id}/status", caller, {"status": status, **more})

    async def task(self, task_id: str, caller: str = "admin") -> dict[str, Any]:
        answer = await self.call("GET", f"/tasks/{task_id}", caller)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def reported(self, socket: Socket, task_id: str, progress: float, **more: Any) -> None:
        """A progress report that has arrived."""
        socket.say("task_progress", task_id=task_id, progress=progress, **more)
        await self.settle()
