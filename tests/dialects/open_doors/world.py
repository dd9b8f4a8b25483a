"""A gateway whose doors are all open, and what others have there that brought tokens."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.dialects.cloudai.world import ADDRESS
from tests.dialects.cloudai.world import TASK as CONTAINER
from tests.dialects.farm.world import TASK as TRAINING
from tests.dialects.jobs.world import JOB
from tests.dialects.sockets import Socket
from tests.dialects.world import GatewayWorld

DOORS = ("jobs", "farm", "cloudai", "cluster")
START_MS = 1_700_000_000_000
NAME = "w1"  # of a worker, here and there
SECRET = {"type": "x", "priority": 1, "kind": "process", "payload": {"token": "s3cret"}}
REFUSED = (401, 403, 404)
# where tasks are handed in: path, body, and where the answer has the id
SUBMIT: dict[str, tuple[str, dict[str, Any], str]] = {
    "native": ("/api/task", SECRET, "id"),
    "jobs": ("/jobs/api/v1/jobs", JOB, "id"),
    "farm": ("/farm/api/tasks", TRAINING, "id"),
    "cloudai": ("/cloudai/api/tasks", CONTAINER, "task_id"),
    "cluster": ("/cluster/tasks", {"task_type": "t"}, "task_id"),
}


class World(GatewayWorld):
    """All doors are open, each on a port of its own; on the main port all ask for tokens."""

    name, base = "native", ""

    def __init__(self, files: Path) -> None:
        listeners = [{"dialect": name, "port": 9000 + at, "auth": "none"} for at, name in enumerate(DOORS)]
        off = {"enabled": False}
        super().__init__(START_MS, limits=off, listeners=listeners, files={"directory": str(files)})
        self.doors = {name: self.listener(at) for at, name in enumerate(DOORS)}
        self.apps = dict(zip(DOORS, self.gateway.apps, strict=True))

    async def submit(self, dialect: str, door: httpx.AsyncClient | None = None, caller: str = "a") -> str:
        path, body, where = SUBMIT[dialect]
        if door is not None:
            answer = await door.post(path.removeprefix(f"/{dialect}"), json=body)
        else:
            answer = await self.call("POST", path, caller, body)
        assert answer.is_success, answer.text
        task_id: str = answer.json()[where]
        return task_id

    async def register(self, door: bool = True) -> dict[str, Any]:
        """A worker of CloudAI."""
        body = {"worker_id": NAME, "worker_ip": ADDRESS}
        if door:
            answer = await self.doors["cloudai"].post("/api/workers", json=body)
        else:
            answer = await self.call("POST", "/cloudai/api/workers", "admin", body)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def socket(self, app: Any, path: str, **headers: str) -> Socket:
        scope = {
            "type": "websocket",
            "path": path,
            "query_string": b"",
            "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
            "subprotocols": [],
            "client": ("10.0.0.9", 1),
            "extensions": {"websocket.http.response": {}},
        }
        return Socket(app, scope, headers.get("client_id", ""))


@dataclass
class Foreign:
    """What was brought in with tokens: tasks by dialect, and servers."""

    world: World
    tasks: dict[str, list[str]] = field(default_factory=dict)
    servers: list[str] = field(default_factory=list)

    async def now(self) -> object:
        store = self.world.store
        ids = [task for tasks in self.tasks.values() for task in tasks]
        return (
            [await store.tasks.get(task_id, payload=True) for task_id in ids],
            [server for server in await store.servers.all() if server.id in self.servers],
            await store.placements.find(self.servers),
            [await store.commands.pending(server) for server in self.servers],
        )
