"""The native API with the store in memory, behind a real socket: what an agent and a gateway make of each other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from dispatcher.agent.api import Api
from tests.dialects.native.sockets import connect, events
from tests.dialects.native.world import World


@asynccontextmanager
async def real_gateway() -> AsyncIterator[tuple[World, str, Api]]:
    """The world, the URL of its sockets, and its other operations."""
    world = World()

    async def handle(socket: ServerConnection) -> None:
        assert socket.request is not None
        path, _, query = socket.request.path.partition("?")
        token = socket.request.headers["Authorization"].removeprefix("Bearer ")
        inner = connect(world, token, path=path, query=query)
        await inner.accepted()

        async def send_down() -> None:
            while (message := await inner.outbound.get())["type"] != "websocket.close":
                await socket.send(message["text"])
            await socket.close(message["code"], message["reason"])

        sending = asyncio.create_task(send_down())
        try:
            with suppress(ConnectionClosed):
                async for text in socket:
                    inner.send_raw({"type": "websocket.receive", "text": text})
        finally:
            await inner.drop()
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async with events(world), serve(handle, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield world, f"http://127.0.0.1:{port}", Api("http://gateway", world.http)
    await world.close()
