"""The gateway with CloudAI; what its clients ask, and what an agent does for a worker."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.types import ASGIApp

from dispatcher.dialects.cloudai.workers import core_id
from dispatcher.domain.failure import Outcome, Verdict
from dispatcher.domain.grant import Grant
from dispatcher.domain.lane import Offer
from dispatcher.domain.log import LogStream, NewLine
from dispatcher.domain.reporter import ByHolder
from dispatcher.domain.resources import Resources
from dispatcher.domain.server import ServerHealth
from tests.dialects.sockets import Socket
from tests.dialects.world import GatewayWorld

START_MS = 1_700_000_000_000
WORKER = "worker-1"
ADDRESS = "192.168.1.100:50052"
TASK: dict[str, Any] = {"docker_image": "nginx:latest", "cpu_required": 1.0, "memory_required": 2.0}
NOBODY = "task-123"
GB = 2**30
TOTAL = Resources(cpu=8, memory=16 * GB, storage=100 * GB, gpu=2)
USAGE = {"cpu": 45.2, "memory": 60.5, "gpu": 20.0}


async def _chunks(data: bytes) -> AsyncIterator[bytes]:
    yield data


class World(GatewayWorld):
    name = "cloudai"
    base = "/cloudai/api"

    def __init__(self, start_ms: int = START_MS, **sections: Any) -> None:
        super().__init__(start_ms, **sections)

    def at(self, seconds: int) -> None:
        """Let it be so many seconds after the beginning."""
        self.clock.advance(START_MS + seconds * 1000 - self.clock.now_ms())

    # ---- clients

    async def submit(self, caller: str = "a", **more: Any) -> str:
        answer = await self.call("POST", "/tasks", caller, {**TASK, **more})
        assert answer.status_code == 201, answer.text
        self.clock.advance(1)  # the next one is younger
        task_id: str = answer.json()["task_id"]
        return task_id

    async def task(self, task_id: str, caller: str = "admin") -> dict[str, Any]:
        return await self.read(f"/tasks/{task_id}", caller)

    async def read(self, path: str, caller: str = "admin") -> dict[str, Any]:
        answer = await self.call("GET", path, caller)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def socket(self, path: str, caller: str | None = "a", *, reads: int = 0, app: ASGIApp | None = None) -> Socket:
        headers = [] if caller is None else [(b"authorization", f"Bearer {self.tokens[caller]}".encode())]
        scope = {
            "type": "websocket",
            "path": path if app else f"/{self.name}{path}",
            "query_string": b"",
            "headers": headers,
            "subprotocols": [],
            "client": ("10.0.0.9", 1),
        }
        return Socket(app or self.gateway.asgi, scope, reads=reads)

    @asynccontextmanager
    async def connected(self, path: str, caller: str | None = "a", **more: Any) -> AsyncIterator[Socket]:
        socket = self.socket(path, caller, **more)
        await socket.opened()
        yield socket
        await socket.drop()

    # ---- workers

    @property
    def door(self) -> str:
        """The open one below the prefix, where it is open."""
        return self.name if self.settings.cloudai.auth == "none" else ""

    def core_id(self, name: str) -> str:
        return core_id(f"open-{self.door}:{self.door}" if self.door else "default", name)

    async def register(self, name: str = WORKER, caller: str = "admin", address: str = ADDRESS) -> dict[str, Any]:
        answer = await self.call("POST", "/workers", caller, {"worker_id": name, "worker_ip": address})
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def beat(self, name: str = WORKER, usage: dict[str, float] | None = None) -> None:
        metrics = json.dumps(USAGE if usage is None else usage)
        await self.services.servers.heartbeat(
            self.core_id(name), health=ServerHealth.HEALTHY, active=None, metrics=metrics, running=None
        )

    async def ready(self, name: str = WORKER, total: Resources = TOTAL) -> None:
        """A registered worker whose agent has told what it has."""
        await self.register(name)
        self.clock.advance(1)
        offer = Offer(frozenset({"docker"}), resources=total, only=self.door)
        await self.services.servers.reoffer(self.core_id(name), offer)
        await self.beat(name)

    async def claim(self, name: str = WORKER) -> Grant | None:
        return await self.services.workers.claim(self.core_id(name), lease_ms=3_600_000)

    async def running(self, caller: str = "a", **more: Any) -> tuple[str, Grant]:
        task_id = await self.submit(caller, **more)
        grant = await self.claim()
        assert grant is not None
        assert grant.task_id == task_id
        return task_id, grant

    async def end(self, grant: Grant, verdict: Verdict = Verdict.COMPLETED, text: str = "") -> None:
        outcome = Outcome(verdict, b"null", verdict.value, code="WORKER_FAILED" if text else "", text=text)
        by = ByHolder(grant.server_id, grant.fence)
        await self.services.tasks.report(grant.task_id, origin="cloudai", by=by, outcome=outcome, progress=None)

    async def fail(self, grant: Grant, text: str = "Exit code 1") -> None:
        await self.end(grant, Verdict.FAILED, text)

    async def say(self, grant: Grant, *lines: str, first: int = 1) -> None:
        new = [NewLine(LogStream.STDOUT, line) for line in lines]
        by = ByHolder(grant.server_id, grant.fence)
        await self.services.logs.append(grant.task_id, by, new, origin="cloudai", first=first)

    async def upload(self, grant: Grant, path: str, data: bytes = b"x" * 1024, kind: str = "text/plain") -> None:
        by = ByHolder(grant.server_id, grant.fence)
        await self.services.files.upload(grant.task_id, path, _chunks(data), content_type=kind, origin="cloudai", by=by)
