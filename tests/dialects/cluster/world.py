"""The gateway with the cluster: its workers, their machines and models, and what clients ask and hear."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx

from dispatcher.auth.apikeys import ApiKeys
from dispatcher.domain.command import Command, CommandState
from dispatcher.domain.failure import Outcome, Verdict
from dispatcher.domain.grant import Grant
from dispatcher.domain.lane import Offer
from dispatcher.domain.placement import can_load
from dispatcher.domain.principal import Owner, Role
from dispatcher.domain.reporter import ByHolder
from dispatcher.domain.resources import Resources
from dispatcher.domain.server import Endpoints, NewServer, ServerHealth, Transport
from tests.dialects.farm.world import Socket
from tests.dialects.world import GatewayWorld

GB = 1 << 30
START_MS = 1_748_599_200_000  # 2025-05-30T10:00:00Z
# that workers can load
MODELS = (
    "llama-2-7b",
    "llama",
    "stable-diffusion-xl",
    "used",
    "huge",
    "later",
    "one",
    "two",
    "wide",
    "other",
    "idle",
    "a",
    "b",
)
TASK: dict[str, Any] = {"task_type": "text_generation", "model_name": "llama-2-7b"}
MACHINE: dict[str, Any] = {
    "cpu": 20.0,
    "memory": 18.75,
    "gpu": 75.5,
    "gpus": [
        {
            "model": "AMD Radeon RX 7900 XTX",
            "memory_total": 24 * GB,
            "memory_used": 8 * GB,
            "temperature": 65,
            "utilization": 75.5,
            "driver_version": "ROCm 5.7.0",
        }
    ],
    "system": {"cpu": "AMD Ryzen 9 7950X", "os": "Ubuntu 22.04", "memory_total": 64 * GB, "memory_used": 12 * GB},
}


class World(GatewayWorld):
    name = "cluster"
    base = "/cluster"

    def __init__(self, **sections: Any) -> None:
        super().__init__(START_MS, **sections)
        self.keys = ApiKeys(self.store.keys, self.clock)

    async def key(self, name: str, role: Role, **more: Any) -> str:
        """A new API key, to be used as this caller's; answers its id."""
        key, self.tokens[name] = await self.keys.create(Owner("default", name.replace(" ", "-")), role, **more)
        return key.id

    async def worker(
        self,
        name: str = "worker-001",
        *,
        kind: str = "model",
        transport: Transport = Transport.SOCKET,
        slots: int = 4,
        machine: dict[str, Any] | None = None,
        origin: str = "native",
        models: Sequence[str] = MODELS,
        title: str = "",
    ) -> str:
        capabilities = frozenset(map(can_load, models))
        offer = Offer(frozenset({kind}), capabilities, resources=Resources(memory=64 * GB, gpu_memory=24 * GB))
        title = title or f"{name}.local"
        new = NewServer(name, origin, title, Endpoints(), offer, max_concurrent=slots, transport=transport)
        await self.store.servers.put(new)
        await self.beat(name, MACHINE if machine is None else machine)
        return name

    async def beat(
        self, name: str, machine: dict[str, Any] | None = None, health: ServerHealth = ServerHealth.HEALTHY, **more: Any
    ) -> None:
        metrics = json.dumps(MACHINE if machine is None else machine)
        more = {"boot_id": "b1"} | more
        await self.services.servers.heartbeat(name, health=health, active=None, metrics=metrics, **more)

    async def maintained(self, name: str) -> None:
        """From now on."""
        await self.services.servers.set_maintenance(name, True, "")

    async def does(self, name: str, state: CommandState = CommandState.DONE, **detail: Any) -> Command:
        """The worker does the oldest thing that it was told to."""
        command = (await self.store.commands.pending(name))[0]
        told = detail.pop("error", None) or json.dumps(detail)
        await self.services.commands.report(name, command.id, state, told)
        return command

    async def loaded(self, name: str, model: str, memory: float = 6.5, load_ms: int = 45_000) -> None:
        """A model that the cluster put on a worker."""
        answer = await self.call("POST", "/models/assign", "admin", {"model_name": model, "worker_ids": [name]})
        assert answer.status_code == 200, answer.text
        await self.does(name, gpu_memory_bytes=int(memory * GB), load_ms=load_ms)

    async def submit(self, caller: str = "a", **more: Any) -> str:
        answer = await self.call("POST", "/tasks", caller, {**TASK, **more})
        assert answer.status_code == 200, answer.text
        self.clock.advance(1)  # the next one is younger
        task_id: str = answer.json()["task_id"]
        return task_id

    async def taken(self, name: str = "worker-001") -> Grant:
        """The next task of a worker."""
        grant = await self.services.workers.claim(name, lease_ms=30_000)
        assert grant is not None
        return grant

    async def ended(self, grant: Grant, result: object = None, *, error: str = "", after_ms: int = 3_200) -> None:
        """A worker's report on its task."""
        self.clock.advance(after_ms)
        raw = json.dumps({"text": "x"} if result is None else result).encode()
        outcome = Outcome(Verdict.FAILED, code="NO", text=error) if error else Outcome(Verdict.COMPLETED, raw, "d")
        by = ByHolder(grant.server_id, grant.fence)
        await self.services.tasks.report(grant.task_id, origin="cluster", by=by, outcome=outcome, progress=None)

    async def done(self, name: str = "worker-001", caller: str = "a", **more: Any) -> str:
        """A task that this worker completed, or (`error`) failed."""
        ends = {key: more.pop(key) for key in ("result", "error", "after_ms") if key in more}
        task_id = await self.submit(caller, **more)
        await self.ended(await self.taken(name), **ends)
        return task_id

    async def get(self, path: str, caller: str = "a", status: int = 200) -> Any:
        answer = await self.call("GET", path, caller)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def post(self, path: str, body: object = None, caller: str = "admin", status: int = 200) -> Any:
        answer = await self.call("POST", path, caller, body)
        assert answer.status_code == status, answer.text
        return answer.json()

    # ---- sockets

    def socket(
        self,
        caller: str | None = "a",
        *,
        query: str = "",
        protocols: tuple[str, ...] = (),
        reads: int = 0,
    ) -> Socket:
        headers = [] if caller is None else [(b"authorization", f"Bearer {self.tokens[caller]}".encode())]
        scope = {
            "type": "websocket",
            "path": "/cluster/ws",
            "query_string": query.encode(),
            "headers": headers,
            "subprotocols": list(protocols),
            "client": ("10.0.0.9", 1),
            "extensions": {"websocket.http.response": {}},
        }
        return Socket(self.gateway.asgi, scope, "", reads)

    @asynccontextmanager
    async def listening(self, caller: str = "a") -> AsyncIterator[Socket]:
        """A socket that has opened and is told of everything from now on."""
        socket = self.socket(caller)
        await socket.opened()
        await self.settle()
        yield socket
        await socket.drop()


OpenWorld = Callable[..., World]
Response = httpx.Response
