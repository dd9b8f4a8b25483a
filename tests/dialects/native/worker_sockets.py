"""Servers that work down a socket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.dialects.native.sockets import Closed, Socket, connected
from tests.dialects.native.world import World

WORKER = {"endpoints": None, "transport": "socket", "maxConcurrent": 2}


def path_of(server_id: str) -> str:
    return f"/api/servers/{server_id}/socket"


async def a_worker(world: World) -> str:
    server_id = await world.register(**WORKER)
    world.tokens.server(server_id)
    return server_id


@asynccontextmanager
async def working(world: World, server_id: str, token: str = "") -> AsyncIterator[Socket]:
    """A socket that was welcomed."""
    async with connected(world, token or f"server-{server_id}", path_of(server_id)) as socket:
        assert (await socket.recv())["type"] == "welcome"
        yield socket


async def handed(world: World, socket: Socket, **more: Any) -> dict[str, Any]:
    """A new task that came down."""
    task_id = await world.create(**more)
    socket.send({"type": "ready"})
    message = await socket.recv()
    assert (message["type"], message["task"]["taskId"]) == ("task", task_id)
    task: dict[str, Any] = message["task"]
    return task


def about(task: dict[str, Any], kind: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "taskId": task["taskId"], "attempt": task["attempt"], **more}


async def closed_with(socket: Socket) -> int:
    while True:
        try:
            await socket.recv()
        except Closed as closed:
            await socket.ended()
            return closed.code


async def not_called(*_: object) -> bool:
    """The forwarder's answer for a server without endpoints."""
    return False
