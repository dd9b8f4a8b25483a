"""The dialects' test worlds over real connections to a gateway process: time passes by itself, and what a process is
told arrives a little later."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import websockets

from tests.dialects.farm.world import CLIENT
from tests.dialects.farm.world import World as FarmWorld
from tests.dialects.jobs.world import World as JobsWorld
from tests.dialects.native.world import CREATE, REGISTER
from tests.dialects.world import GatewayWorld
from tests.e2e.fleet import token
from tests.e2e.world import until


class _OwnTime:
    def advance(self, ms: int) -> None:
        """Nobody can make it pass."""


class Live(GatewayWorld):
    """To stand before the world whose helpers are used. Each has a tenant of its own."""

    root = ""

    def __init__(self, url: str, tenant: str) -> None:
        self.url = url
        self.clock = _OwnTime()  # type: ignore[assignment]
        self.tokens = {
            "a": token("a", tenant=tenant),
            "worker": token("pool", "server", tenant),
            "admin": token("root", "admin", tenant),
            "garbage": "garbage",
        }
        self.http = httpx.AsyncClient(base_url=url)
        self._document: dict[str, Any] | None = None

    async def close(self) -> None:
        await self.http.aclose()


class LiveJobs(Live, JobsWorld):
    root = "/jobs"

    async def close(self) -> None:
        """Nothing is left for the next one to claim."""
        waiting = (await self.call("GET", "/jobs?status=pending", "admin")).json()
        if waiting:
            await self.call("POST", "/jobs/bulk/cancel", "admin", {"job_ids": [job["id"] for job in waiting]})
        await super().close()


class LiveFarm(Live, FarmWorld):
    root = "/farm"

    @asynccontextmanager
    async def connected(self, client: str = CLIENT, **more: Any) -> AsyncIterator["LiveSocket"]:  # type: ignore[override]
        headers = {"Authorization": f"Bearer {self.tokens['worker']}", "Client-ID": client}
        async with websockets.connect(
            self.url.replace("http", "ws", 1) + "/farm", additional_headers=headers, proxy=None
        ) as connection:
            socket = LiveSocket(connection, client)
            try:
                yield socket
            finally:
                await socket.close()

    async def reported(self, socket: Any, task_id: str, progress: float, **more: Any) -> None:
        socket.say("task_progress", task_id=task_id, progress=progress, **more)
        await self.shows(task_id, progress=progress)

    async def shows(self, task_id: str, **members: Any) -> None:
        """Until a task shows these."""

        async def so() -> bool:
            task = await self.task(task_id)
            return {name: task[name] for name in members} == members

        await until(so, f"{members}")

    async def close(self) -> None:
        """Nothing is left for the next one's clients."""
        for task in (await self.call("GET", "/tasks?limit=100")).json()["tasks"]:
            await self.call("DELETE", f"/tasks/{task['id']}")
        await super().close()


class LiveSocket:
    """As the `Socket` of the farm's tests."""

    def __init__(self, connection: websockets.ClientConnection, client: str) -> None:
        self._connection = connection
        self._client = client
        self._outbound: asyncio.Queue[str] = asyncio.Queue()
        self._inbound: asyncio.Queue[Any] = asyncio.Queue()
        self._jobs = [asyncio.create_task(self._write()), asyncio.create_task(self._read())]

    def say(self, kind: str, **members: Any) -> None:
        self.send({"type": kind, "client_id": self._client, "timestamp": "2024-11-04T12:00:00Z", **members})

    def send(self, message: object) -> None:
        self._outbound.put_nowait(json.dumps(message))

    async def hear(self) -> Any:
        async with asyncio.timeout(10):
            return await self._inbound.get()

    async def close(self) -> None:
        for job in self._jobs:
            job.cancel()
        await asyncio.gather(*self._jobs, return_exceptions=True)

    async def _write(self) -> None:
        while True:
            await self._connection.send(await self._outbound.get())

    async def _read(self) -> None:
        async for text in self._connection:
            self._inbound.put_nowait(json.loads(text))


@dataclass
class LiveNative:
    """One GPU server that answers 202, and reports of what it was given. Made by `native`."""

    http: httpx.AsyncClient
    tokens: dict[str, str]
    clock: _OwnTime = field(default_factory=_OwnTime)
    callbacks: dict[str, str] = field(default_factory=dict)
    port: int = 0

    @property
    def backend(self) -> "LiveNative":
        return self

    def callback(self, task_id: str) -> str:
        return self.callbacks[task_id]

    async def call(self, method: str, path: str, caller: str = "client-a", body: Any = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.tokens.get(caller, caller)}"}
        return await self.http.request(method, path, headers=headers, json=body)

    async def register(self, **more: Any) -> str:
        endpoints = {"predict": f"http://127.0.0.1:{self.port}/predict"}
        answer = await self.call("POST", "/api/servers", "admin", {**REGISTER, "endpoints": endpoints, **more})
        return str(answer.json()["serverId"])

    async def create(self, *, group: str | None = None) -> str:
        """A task that runs; one that waits where no server is of its group."""
        body = CREATE if group is None else {**CREATE, "group": group}
        task_id = str((await self.call("POST", "/api/task", "client-a", body)).json()["id"])
        if group is not None:
            return task_id

        async def started() -> bool:
            return task_id in self.callbacks

        await until(started, "a predict call")
        return task_id

    async def report(self, task_id: str, **body: Any) -> httpx.Response:
        return await self.call("PUT", f"/api/task/{task_id}", self.callback(task_id), body)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One predict call, answered 202."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head.split("\r\n"))}
        await reader.readexactly(int(headers["content-length"]))
        self.callbacks[headers["x-task-id"]] = headers["x-callback-token"]
        writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async def tidy(self) -> None:
        """Nothing is left for the next example."""
        for task in (await self.call("GET", "/api/tasks", "client-a")).json()["tasks"]:
            await self.call("POST", f"/api/task/{task['id']}/cancel", "client-a")
        for server in (await self.call("GET", "/api/servers", "admin")).json()["servers"]:
            await self.call("DELETE", f"/api/servers/{server['id']}", "admin")
        await self.call("POST", "/api/stats/load-balancer/algorithm", "admin", {"algorithm": "round-robin"})


@asynccontextmanager
async def native(url: str) -> AsyncIterator[LiveNative]:
    tokens = {"client-a": token("a"), "admin": token("root", "admin")}
    async with httpx.AsyncClient(base_url=url) as http:
        world = LiveNative(http, tokens)
        async with await asyncio.start_server(world.accept, "127.0.0.1", 0) as server:
            world.port = server.sockets[0].getsockname()[1]
            yield world
            await world.tidy()
