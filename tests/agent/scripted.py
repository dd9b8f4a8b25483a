"""A gateway that does what the test says: a real socket, and calls that are remembered."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from dispatcher.agent.agent import Agent
from dispatcher.agent.api import Api, Identity
from dispatcher.agent.attempt import Attempt
from dispatcher.agent.machine import Machine
from dispatcher.agent.models import Models
from dispatcher.agent.options import Options
from dispatcher.agent.task import End, Key


class Scripted:
    """`connections` in order; messages are read with `next`."""

    def __init__(self) -> None:
        self.url = ""
        self.connections: list[ServerConnection] = []
        self.registered = 0
        self.refusals: list[Exception] = []  # of registrations, one each
        self.lines: dict[Key, list[str]] = {}
        self.welcome: Mapping[str, Any] = {"type": "welcome", "heartbeatMs": 10_000}
        self._messages = asyncio.Queue[dict[str, Any]]()

    async def register(self, options: Options) -> Identity:
        if self.refusals:
            raise self.refusals.pop(0)
        self.registered += 1
        return Identity("server_1", f"token-{self.registered}")

    async def append(self, me: Identity, key: Key, first: int, lines: list[dict[str, Any]]) -> None:
        self.lines.setdefault(key, []).extend(line["text"] for line in lines)

    async def upload(self, me: Identity, key: Key, path: str, file: BinaryIO) -> None:
        raise AssertionError("nothing is uploaded here")

    async def handle(self, socket: ServerConnection) -> None:
        self.connections.append(socket)
        with suppress(ConnectionClosed):
            await socket.send(json.dumps(self.welcome))
            async for text in socket:
                self._messages.put_nowait(json.loads(text))

    async def next(self, *kinds: str) -> dict[str, Any]:
        """The next message of one of these types; what comes before it is passed over."""
        async with asyncio.timeout(10):
            while True:
                message = await self._messages.get()
                if message["type"] in kinds:
                    return message

    async def send(self, **message: Any) -> None:
        await self.connections[-1].send(json.dumps(message))

    async def assign(self, task_id: str = "t1", attempt: int = 1, kind: str = "led", **payload: Any) -> None:
        task = {"taskId": task_id, "attempt": attempt, "type": "t", "kind": kind, "payload": payload}
        await self.send(type="task", task=task)

    async def acknowledge(self, task_id: str = "t1", attempt: int = 1, **more: Any) -> None:
        await self.send(**{"type": "ack", "taskId": task_id, "attempt": attempt, "accepted": True, **more})

    async def hang_up(self) -> None:
        """The connection is closed without a code."""
        socket = self.connections[-1]
        async with socket.send_context():
            socket.protocol.send_close()

    def cut(self) -> None:
        """The connection breaks without a word."""
        self.connections[-1].transport.abort()


class Led:
    """A runner whose tasks end as the test says: `ends` takes an End or an exception for the oldest."""

    def __init__(self) -> None:
        self.began = asyncio.Queue[Attempt]()
        self.ends = asyncio.Queue[End | Exception]()

    async def run(self, attempt: Attempt) -> End:
        self.began.put_nowait(attempt)
        attempt.log.write("stdout", "at work")
        ending = asyncio.ensure_future(self.ends.get())
        try:
            await asyncio.wait([ending, attempt.stopped], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped = ending.cancel()
        if stopped:
            attempt.log.write("stdout", "bye")
            return End(error=attempt.stopped.result())
        end = ending.result()
        if isinstance(end, Exception):
            raise end
        return end


class StillMachine:
    def totals(self) -> dict[str, float]:
        return {"cpu": 2}

    def metrics(self) -> dict[str, Any]:
        return {"cpu": 1.0}


async def briefly(seconds: float) -> None:
    """Pauses of tries pass at once; those of heartbeats never end by themselves."""
    await (asyncio.Event().wait() if seconds >= 5 else asyncio.sleep(0))


class Working:
    """An agent at work. `leave` stops it and answers its exit code; `pauses` are those it made, in seconds."""

    def __init__(self, gateway: Scripted, models: Path | None, **options: Any) -> None:
        self.led = Led()
        self.stopping, self.hurry = asyncio.Event(), asyncio.Event()
        known = Models(models, lambda pid: 0) if models is not None else None
        given = {"url": gateway.url, "name": "box", "token": "admin", "kinds": ("led",), "concurrency": 2, **options}
        pauses: list[float] = []

        async def sleep(seconds: float) -> None:
            pauses.append(seconds)
            await briefly(seconds)

        self.agent = Agent(
            Options(**given), cast("Api", gateway), cast("Machine", StillMachine()), {"led": self.led}, known,
            rng=random.Random(1), sleep=sleep, boot_id="boot-1",
        )  # fmt: skip
        self.pauses = pauses
        self.running = asyncio.create_task(self.agent.run(self.stopping, self.hurry))

    async def leave(self) -> int:
        self.stopping.set()
        async with asyncio.timeout(10):
            return await self.running


@asynccontextmanager
async def scripted() -> AsyncIterator[Scripted]:
    gateway = Scripted()
    async with serve(gateway.handle, "127.0.0.1", 0) as server:
        host, port = next(iter(server.sockets)).getsockname()[:2]
        gateway.url = f"http://{host}:{port}"
        yield gateway


@asynccontextmanager
async def working(gateway: Scripted, models: Path | None = None, **options: Any) -> AsyncIterator[Working]:
    made = Working(gateway, models, **options)
    try:
        yield made
    finally:
        made.hurry.set()
        made.stopping.set()
        await asyncio.gather(made.running, return_exceptions=True)
