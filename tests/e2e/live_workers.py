"""The test worlds of the APIs whose workers hold a socket of the native API, over real connections; and such a
worker."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import websockets

from dispatcher.domain.command import CommandState
from dispatcher.domain.failure import Verdict
from dispatcher.domain.resources import Resources
from dispatcher.domain.server import ServerHealth, Transport
from tests.dialects.cloudai.world import ADDRESS, TOTAL, USAGE, WORKER
from tests.dialects.cloudai.world import World as CloudAIWorld
from tests.dialects.cluster.world import GB, MACHINE, MODELS
from tests.dialects.cluster.world import World as ClusterWorld
from tests.dialects.golden import fill
from tests.e2e.live import Live, LiveSocket
from tests.e2e.world import until

COMMANDS = ["worker.restart", "model.load", "model.unload"]
MB = 1 << 20


class LiveWorker:
    """A worker's side of its socket. Made by `LiveFleet.open`."""

    def __init__(self, server_id: str, socket: LiveSocket) -> None:
        self.server_id = server_id
        self._socket = socket
        self._unread: list[dict[str, Any]] = []

    async def hear(self, kind: str) -> dict[str, Any]:
        """The next message of this kind; the others are kept."""
        for place, message in enumerate(self._unread):
            if message["type"] == kind:
                return self._unread.pop(place)
        while (message := await self._socket.hear())["type"] != kind:
            assert message["type"] != "error", message
            self._unread.append(message)
        return dict(message)

    async def begin(self, **offer: Any) -> None:
        await self.hear("welcome")
        self._socket.send({"type": "hello", "commands": COMMANDS, **offer})

    async def beat(self, metrics: object, status: str = "healthy") -> None:
        self._socket.send({"type": "heartbeat", "metrics": metrics, "status": status, "bootId": "b1"})
        await self.hear("pong")

    async def take(self) -> "LiveGrant":
        self._socket.send({"type": "ready"})
        return LiveGrant(self, (await self.hear("task"))["task"])

    async def end(self, grant: "LiveGrant", **report: Any) -> None:
        self._socket.send({"type": "result", "taskId": grant.task_id, "attempt": grant.attempt, **report})
        acknowledged = await self.hear("ack")
        assert acknowledged["accepted"], acknowledged

    async def obey(self, how: str, **more: Any) -> None:
        """The oldest command that has come."""
        command = await self.hear("command")
        self._socket.send({"type": how, "id": command["id"], **more})
        assert "code" not in await self.hear("commandRecorded")


class LiveGrant:
    """A task that a worker holds."""

    def __init__(self, worker: LiveWorker, task: Mapping[str, Any]) -> None:
        self.worker = worker
        self.task_id: str = task["taskId"]
        self.attempt: int = task["attempt"]


class LiveFleet(Live):
    """Its workers are all that the gateway has; `workers` by the names that the examples give them."""

    tasks = "/tasks"

    def __init__(self, url: str, tenant: str) -> None:
        super().__init__(url, tenant)
        self.workers: dict[str, LiveWorker] = {}
        self._life = AsyncExitStack()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Without what earlier examples have left, and leaving nothing."""
        await self._unregister_all()
        try:
            yield
        finally:
            await self._life.aclose()
            await self._cancel_all()
            await self._unregister_all()
            await self.close()

    async def open(self, name: str, server_id: str, caller: str, **offer: Any) -> None:
        socket = await self._life.enter_async_context(self.hearing(f"/api/servers/{server_id}/socket", caller))
        self.workers[name] = LiveWorker(server_id, socket)
        await self.workers[name].begin(**offer)

    @asynccontextmanager
    async def hearing(self, path: str, caller: str = "a") -> AsyncIterator[LiveSocket]:
        headers = {"Authorization": f"Bearer {self.tokens[caller]}"}
        address = self.url.replace("http", "ws", 1) + path
        async with websockets.connect(address, additional_headers=headers, proxy=None) as connection:
            socket = LiveSocket(connection, "")
            try:
                yield socket
            finally:
                await socket.close()

    async def _cancel_all(self) -> None:
        for task in (await self.call("GET", f"{self.root}{self.tasks}?limit=100", prefix="")).json()["tasks"]:
            await self.call("DELETE", f"{self.root}{self.tasks}/{task['task_id']}", prefix="")

    async def _unregister_all(self) -> None:
        for server in (await self.call("GET", "/api/servers", "admin", prefix="")).json()["servers"]:
            await self.call("DELETE", f"/api/servers/{server['id']}", "admin", prefix="")


class LiveCloudAI(LiveFleet, CloudAIWorld):
    root = "/cloudai"
    tasks = "/api/tasks"

    def at(self, seconds: int) -> None:
        """It is whatever time it is."""

    async def later(self, ms: int) -> None:
        """Nobody can make it pass."""

    async def ready(self, name: str = WORKER, total: Resources = TOTAL) -> None:
        registered = await self.register(name, address=ADDRESS)
        self.tokens[name] = registered["server_token"]
        amounts = {
            "cpu": total.cpu,
            "memoryMB": total.memory // MB,
            "storageMB": total.storage // MB,
            "gpu": total.gpu,
        }
        await self.open(name, registered["server_id"], name, kinds=["docker"], resources=amounts)
        await self.beat(name)

    async def beat(self, name: str = WORKER, usage: dict[str, float] | None = None) -> None:
        await self.workers[name].beat(USAGE if usage is None else usage)

    async def claim(self, name: str = WORKER) -> Any:
        return await self.workers[name].take()

    async def end(self, grant: Any, verdict: Verdict = Verdict.COMPLETED, text: str = "") -> None:
        await grant.worker.end(grant, status=verdict.name, **({"error": text} if text else {}))

    async def say(self, grant: Any, *lines: str, first: int = 1) -> None:
        body = {"first": first, "lines": [{"text": line} for line in lines], "attempt": grant.attempt}
        answer = await self.call("POST", f"/api/task/{grant.task_id}/logs", WORKER, body, prefix="")
        assert answer.status_code == 200, answer.text

    async def upload(self, grant: Any, path: str, data: bytes = b"x" * 1024, kind: str = "text/plain") -> None:
        headers = {"Content-Type": kind}
        address = f"/api/task/{grant.task_id}/files/{path}"
        answer = await self.call("PUT", address, WORKER, raw=data, headers=headers, prefix="")
        assert answer.status_code == 200, answer.text


class LiveCluster(LiveFleet, ClusterWorld):
    """The gateway chooses the ids of servers: what is asked has them in place of the names."""

    root = "/cluster"

    @property
    def ids(self) -> dict[str, str]:
        return {name: worker.server_id for name, worker in self.workers.items()}

    async def call(
        self, method: str, path: str, caller: str | None = "a", body: object = None, **more: Any
    ) -> httpx.Response:
        return await super().call(method, fill(path, self.ids), caller, fill(body, self.ids), **more)

    async def forgotten(self) -> None:
        """Until the gateway's estimate of the wait is one without workers."""

        async def so() -> bool:
            answer = await self.post("/tasks", {"task_type": "probe"}, "a")
            await self.call("DELETE", f"/tasks/{answer['task_id']}")
            return bool(answer["estimated_wait_time"] == "15s")

        await until(so, "an estimate without workers")

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
    ) -> str:
        new = {"name": name, "kinds": [kind], "transport": transport, "maxConcurrent": slots}
        answer = await super().call("POST", "/api/servers", "admin", new, prefix="")
        assert answer.status_code == 200, answer.text
        registered = answer.json()
        self.tokens[name] = registered["serverToken"]
        amounts = {"memoryMB": 64 * GB // MB, "gpuMemoryMB": 24 * GB // MB}
        await self.open(name, registered["serverId"], name, resources=amounts, loadable=list(models))
        await self.beat(name, machine)
        return name

    async def beat(
        self, name: str, machine: dict[str, Any] | None = None, health: ServerHealth = ServerHealth.HEALTHY, **more: Any
    ) -> None:
        await self.workers[name].beat(MACHINE if machine is None else machine, health.value)

    async def maintained(self, name: str) -> None:
        path = f"/api/servers/{name}/maintenance"
        answer = await self.call("POST", path, "admin", {"maintenance": True}, prefix="")
        assert answer.status_code == 200, answer.text

    async def does(self, name: str, state: CommandState = CommandState.DONE, **detail: Any) -> Any:
        assert state is CommandState.DONE
        await self.workers[name].obey("commandDone", detail=detail)

    async def taken(self, name: str = "worker-001") -> Any:
        return await self.workers[name].take()

    async def ended(self, grant: Any, result: object = None, *, error: str = "", after_ms: int = 3_200) -> None:
        report = {"status": "FAILED", "error": error} if error else {"status": "COMPLETED", "result": result or {}}
        await grant.worker.end(grant, **report)

    async def event(self, socket: LiveSocket, name: str) -> Any:
        """The next one of this name."""
        while (message := await socket.hear())["event"] != name:
            pass
        return message
