"""A gateway of the AI Farm API that does what the test says, and a training function that the test leads."""

import asyncio
import json
import queue
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from dispatcher_sdk.farm import FarmClient, FarmTask, Pace, Refused

TOKEN = "secret-token"
FAST = Pace(first_pause=0.0, progress=0.0)


class Scripted:
    """`connections` in order; messages are read one by one with `next`."""

    def __init__(self) -> None:
        self.url = ""
        self.connections: list[ServerConnection] = []
        self.refusals: list[int] = []  # statuses for the next handshakes
        self._messages = asyncio.Queue[dict[str, Any]]()
        self._connected = asyncio.Event()

    @property
    def socket(self) -> ServerConnection:
        return self.connections[-1]

    async def handle(self, socket: ServerConnection) -> None:
        self.connections.append(socket)
        with suppress(ConnectionClosed):
            async for text in socket:
                self._messages.put_nowait(json.loads(text))

    def admit(self, socket: ServerConnection, request: Request) -> Response | None:
        return socket.respond(self.refusals.pop(0), "no\n") if self.refusals else None

    async def next(self, kind: str) -> dict[str, Any]:
        """The next message of this type; what comes before it is passed over."""
        async with asyncio.timeout(10):
            while True:
                message = await self._messages.get()
                if message["type"] == kind:
                    return message

    async def exactly(self, *kinds: str) -> list[dict[str, Any]]:
        """The next messages, which are of these types."""
        async with asyncio.timeout(10):
            messages = [await self._messages.get() for _ in kinds]
        assert [message["type"] for message in messages] == list(kinds)
        return messages

    async def send(self, **message: Any) -> None:
        await self.socket.send(json.dumps({"timestamp": "2024-11-04T12:00:00Z", **message}))

    async def assign(self, task_id: str = "t1", **config: Any) -> None:
        requirements = {"min_gpu_memory": 4096, "min_cpu_cores": 4, "min_ram": 8192}
        task = {"id": task_id, "type": "training", "config": config, "requirements": requirements}
        await self.send(type="task", data=task)

    async def control(self, action: str, task_id: str = "t1") -> None:
        await self.send(type="control", action=action, task_id=task_id)

    async def heard(self) -> None:
        """The client has read what was sent before."""
        await (await self.socket.ping())

    async def acknowledge(self, task_id: str = "t1", received: bool = True, **more: str) -> None:
        await self.send(type="task_result_ack", task_id=task_id, received=received, **more)

    def cut(self) -> None:
        """The connection breaks without a word."""
        self.socket.transport.abort()


@asynccontextmanager
async def scripted() -> AsyncIterator[Scripted]:
    gateway = Scripted()
    async with serve(gateway.handle, "127.0.0.1", 0, process_request=gateway.admit) as server:
        host, port = next(iter(server.sockets)).getsockname()[:2]
        gateway.url = f"ws://{host}:{port}/farm"
        yield gateway


class Led:
    """A training that takes a step whenever the test says so: `go` is given (progress, metrics, checkpoint path), an
    exception to raise, or None to end with metrics."""

    def __init__(self) -> None:
        self.go = queue.Queue[Any]()
        self.began = asyncio.Queue[FarmTask]()
        self.stepped = asyncio.Queue[float]()  # steps that have returned
        self._loop = asyncio.get_running_loop()

    def __call__(self, task: FarmTask) -> dict[str, Any]:
        self._loop.call_soon_threadsafe(self.began.put_nowait, task)
        while (order := self.go.get(timeout=30)) is not None:
            if isinstance(order, BaseException):
                raise order
            task.step(*order)
            self._loop.call_soon_threadsafe(self.stepped.put_nowait, order[0])
        return {"final_loss": 0.5}


@asynccontextmanager
async def working(gateway: Scripted, train: Any, pace: Pace = FAST, **options: Any) -> AsyncIterator[FarmClient]:
    """A client that serves meanwhile, and has left afterwards."""
    client = FarmClient(gateway.url, TOKEN, "gpu-7", train=train, pace=pace, **options)
    serving = asyncio.create_task(client.serve())
    try:
        yield client
        client.stop()
        async with asyncio.timeout(10):
            with suppress(Refused):
                await serving
    finally:
        serving.cancel()
        await asyncio.wait({serving})
        if isinstance(train, Led):
            train.go.put(None)  # its thread ends
