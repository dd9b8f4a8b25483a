"""A gateway to stand in for the real one: it remembers what servers tell it, and calls them."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from dispatcher_sdk import Backend
from dispatcher_sdk._http import httpx
from dispatcher_sdk.backend.http_server import HttpRequest, HttpResponse, HttpServer


@dataclass
class FakeGateway:
    """Answers the worker's side of the API; `url` is set once it listens."""

    url: str = ""
    log: list[tuple[str, str, str]] = field(default_factory=list)  # method, path, bearer token
    bodies: list[Any] = field(default_factory=list)
    registered: Any = field(default_factory=dict)
    on_put: Callable[[Any], HttpResponse] = lambda body: HttpResponse(200, b'{"message":"m","taskId":"t"}')
    tasks: list[Any] = field(default_factory=list)  # to be claimed
    ended: dict[str, Any] = field(default_factory=dict)  # how the last task submitted here ended
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: HttpRequest) -> HttpResponse:
        body = json.loads(request.body) if request.body else None
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        self.log.append((request.method, request.path, token))
        self.bodies.append(body)
        self.changed.set()
        if request.path == "/api/task":
            await self._work(body)
            return _json({"id": "task_1", "status": "PENDING"})
        if request.path == "/api/task/task_1" and request.method == "GET":
            return _json({"id": "task_1", **self.ended})
        if request.path == "/api/servers":
            self.registered = body
            return _json({"serverId": "server_1", "message": "m", "serverToken": "server-token"})
        if request.path.endswith("/claim"):
            return await self._claim()
        if request.method == "PUT":
            return self.on_put(body)
        return _json({"serverId": "server_1", "message": "m"})

    async def until(self, method: str, path: str) -> Any:
        """The body of the first such request, waited for."""
        while True:
            for (seen_method, seen_path, _), body in zip(self.log, self.bodies, strict=True):
                if (seen_method, seen_path) == (method, path):
                    return body
            self.changed.clear()
            await self.changed.wait()

    def index(self, method: str, path: str) -> int:
        return [entry[:2] for entry in self.log].index((method, path))

    async def _claim(self) -> HttpResponse:
        """The next of `tasks`; held back for a moment when there is none."""
        for _ in range(5):
            if self.tasks:
                return _json(self.tasks.pop(0))
            await asyncio.sleep(0.01)
        return HttpResponse(204, b"")

    async def _work(self, task: Any) -> None:
        async with httpx.AsyncClient() as client:
            answer = await self.predict(client, task["payload"], type=task["type"])
        done = answer.status_code == 200
        self.ended = {"status": "COMPLETED", "result": answer.json()} if done else {"status": "FAILED", **answer.json()}

    def headers(self, task_id: str = "task_1", attempt: int = 1) -> dict[str, str]:
        """What the gateway sends along with a predict call."""
        return {
            "Authorization": f"Bearer {self.registered['apiKey']}",
            "X-Task-Id": task_id,
            "X-Attempt": str(attempt),
            "X-Callback-Url": f"{self.url}/api/task/{task_id}",
            "X-Callback-Token": f"callback-{attempt}",
            "X-Deadline-Ms": "300000",
            "Idempotency-Key": task_id,
        }

    async def predict(self, client: "httpx.AsyncClient", payload: Any, task_id: str = "task_1", **job: Any) -> Any:
        body = {
            "taskId": task_id,
            "type": "t",
            "priority": 5,
            "payload": payload,
            "capabilities": [],
            "attempt": 1,
            **job,
        }
        url = self.registered["endpoints"]["predict"]
        return await client.post(url, json=body, headers=self.headers(task_id, body["attempt"]))


def _json(body: Any) -> HttpResponse:
    return HttpResponse(200, json.dumps(body).encode())


@asynccontextmanager
async def fake_gateway() -> AsyncIterator[FakeGateway]:
    gateway = FakeGateway()
    server = HttpServer(gateway.handle)
    gateway.url = f"http://127.0.0.1:{await server.start('127.0.0.1', 0)}"
    try:
        yield gateway
    finally:
        await server.close(grace=1.0)


@asynccontextmanager
async def serving(backend: Backend) -> AsyncIterator[str]:
    """The backend at work, registered; yields its URL."""
    started: asyncio.Queue[str] = asyncio.Queue()
    serve = asyncio.create_task(backend.serve(started.put_nowait))
    first = asyncio.create_task(started.get())
    await asyncio.wait({serve, first}, return_when=asyncio.FIRST_COMPLETED)
    if serve.done():
        first.cancel()
        serve.result()
    try:
        yield await first
    finally:
        backend.stop()
        await serve
