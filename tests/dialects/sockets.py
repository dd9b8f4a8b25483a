"""A WebSocket client without a network: it speaks ASGI to the application."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from starlette.types import ASGIApp, Message, Scope


class Closed(Exception):
    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code, self.reason = code, reason


class Denied(Exception):
    def __init__(self, status: int, headers: dict[str, str], body: Any) -> None:
        super().__init__(status)
        self.status, self.headers, self.body = status, headers, body


class Socket:
    """A client of the farm that speaks ASGI to the application. It takes at most `reads` messages that nobody fetches
    (0: any number)."""

    def __init__(self, app: ASGIApp, scope: Scope, client: str = "", reads: int = 0) -> None:
        self.client = client
        self.closed_with: int | None = None
        self._inbound: asyncio.Queue[Message] = asyncio.Queue()
        self.outbound: asyncio.Queue[Message] = asyncio.Queue(reads)
        self._running = asyncio.ensure_future(app(scope, self._inbound.get, self.outbound.put))  # type: ignore[arg-type]
        self._inbound.put_nowait({"type": "websocket.connect"})

    def say(self, kind: str, **members: Any) -> None:
        self.send({"type": kind, "client_id": self.client, "timestamp": "2024-11-04T12:00:00Z", **members})

    def send(self, message: object) -> None:
        self.send_raw({"type": "websocket.receive", "text": json.dumps(message)})

    def send_raw(self, message: Message) -> None:
        self._inbound.put_nowait(message)

    async def opened(self) -> Message:
        message = await self._next()
        if message["type"] == "websocket.accept":
            return message
        assert message["type"] == "websocket.http.response.start"
        body = json.loads((await self._next())["body"])
        headers = {name.decode(): value.decode() for name, value in message["headers"]}
        raise Denied(message["status"], headers, body)

    async def hear(self) -> dict[str, Any]:
        message = await self._next()
        if message["type"] == "websocket.close":
            self.closed_with = message["code"]
            raise Closed(message["code"], message["reason"])
        found: dict[str, Any] = json.loads(message["text"])
        return found

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        """What is heard until the other side closes."""
        with suppress(Closed):
            while True:
                yield await self.hear()

    @property
    def silent(self) -> bool:
        return self.outbound.empty()

    async def drop(self) -> None:
        self._inbound.put_nowait({"type": "websocket.disconnect", "code": 1006})
        await self._running

    async def _next(self) -> Message:
        async with asyncio.timeout(5):
            return await self.outbound.get()
