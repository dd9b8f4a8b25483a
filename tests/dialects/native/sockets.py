"""A WebSocket client without a network: it speaks ASGI to the application."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from starlette.types import Message, Scope

from tests.dialects.native.world import A, World


class Closed(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Socket:
    """One connection; it takes at most `reads` messages that nobody fetches (0: any number).

    `recv` gives decoded messages and raises Closed; `drop` is a connection that breaks."""

    def __init__(self, world: World, scope: Scope, reads: int = 0) -> None:
        self._inbound: asyncio.Queue[Message] = asyncio.Queue()
        self.outbound: asyncio.Queue[Message] = asyncio.Queue(reads)
        self._app = asyncio.ensure_future(self._run(world, scope))
        self._inbound.put_nowait({"type": "websocket.connect"})

    async def _run(self, world: World, scope: Scope) -> None:
        await world.app(scope, self._inbound.get, self.outbound.put)

    def send(self, message: object) -> None:
        self.send_raw({"type": "websocket.receive", "text": json.dumps(message)})

    def send_raw(self, message: Message) -> None:
        self._inbound.put_nowait(message)

    async def recv(self) -> dict[str, Any]:
        async with asyncio.timeout(5):
            message = await self.outbound.get()
        if message["type"] == "websocket.close":
            raise Closed(message["code"])
        found: dict[str, Any] = json.loads(message["text"])
        return found

    async def accepted(self) -> Message:
        async with asyncio.timeout(5):
            message = await self.outbound.get()
        assert message["type"] == "websocket.accept"
        return message

    async def drop(self) -> None:
        self._inbound.put_nowait({"type": "websocket.disconnect", "code": 1006})
        await self._app

    async def ended(self) -> None:
        async with asyncio.timeout(5):
            await self._app


def connect(
    world: World,
    token: str | None = A,
    *,
    path: str = "/ws",
    subprotocols: Sequence[str] = (),
    query: str = "",
    reads: int = 0,
) -> Socket:
    headers = [] if token is None else [(b"authorization", f"Bearer {token}".encode())]
    scope = {
        "type": "websocket",
        "path": path,
        "query_string": query.encode(),
        "headers": headers,
        "subprotocols": list(subprotocols),
    }
    return Socket(world, scope, reads)


@asynccontextmanager
async def connected(world: World, token: str | None = A, path: str = "/ws") -> AsyncIterator[Socket]:
    socket = connect(world, token, path=path)
    await socket.accepted()
    yield socket
    await socket.drop()


@asynccontextmanager
async def events(world: World) -> AsyncIterator[None]:
    """What the events loop does: bring the fleet's stream to those who watch."""

    async def pump() -> None:
        async for event in world.store.coordination.events():
            world.services.watch.publish(event)
            world.services.workers.publish(event)
            world.services.sessions.publish(event)
            world.services.commands.publish(event)

    task = asyncio.create_task(pump())
    await asyncio.sleep(0)
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
