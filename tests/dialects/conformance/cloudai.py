"""CloudAI: its workers' agents hold a socket of the native API."""

from typing import ClassVar

from tests.dialects.cloudai.world import ADDRESS, TASK, World
from tests.dialects.conformance.driver import Driver, Expected, Refusal, Worker
from tests.dialects.conformance.native import ConnectedServer
from tests.dialects.sockets import Socket

HELLO = {"type": "hello", "kinds": ["docker"], "resources": {"cpu": 8, "memoryMB": 16_384, "storageMB": 102_400}}


class CloudAIDriver(Driver):
    name = "cloudai"
    absent: ClassVar = {
        "fail_then_retry": "a retry is a new task with an id of its own: a failed task stays failed in its document"
    }
    expected = Expected(
        "pending", "running", "completed", "failed", "cancelled", submitted=201,
        late="STALE_ATTEMPT", foreign="FORBIDDEN", other_end="CONFLICT_RESULT", stopped="CANCELLED",
        cancelled_again=200,
    )  # fmt: skip
    bad_bodies = (
        {},
        [],
        {**TASK, "docker_image": None},
        {**TASK, "docker_image": "two words"},
        {**TASK, "cpu_required": 0},
        {**TASK, "memory_required": "much"},
        {**TASK, "k_value": 2.6},
        {**TASK, "tag": "other"},
        {**TASK, "command": "'open"},
    )

    def __init__(self) -> None:
        super().__init__(World())

    async def submit(self, caller: str | None = "a", *, key: str = "", body: object = None) -> tuple[int, str]:
        headers = {"Idempotency-Key": key} if key else {}
        answer = await self.world.call("POST", "/tasks", caller, TASK if body is None else body, headers=headers)
        return answer.status_code, answer.json().get("task_id", "")

    def another_body(self) -> object:
        return {**TASK, "tag": "batch-job"}

    async def see(self, task_id: str, caller: str | None = "a") -> tuple[int, str]:
        answer = await self.world.call("GET", f"/tasks/{task_id}", caller)
        return answer.status_code, answer.json().get("status", "")

    async def cancel(self, task_id: str, caller: str = "a") -> int:
        return (await self.world.call("DELETE", f"/tasks/{task_id}", caller)).status_code

    async def retry(self, task_id: str, caller: str = "a") -> int:
        raise AssertionError(self.absent["fail_then_retry"])

    async def page(self, number: int, size: int, caller: str = "a") -> tuple[list[str], int]:
        answer = await self.world.call("GET", f"/tasks?offset={number * size}&limit={size}", caller)
        return [task["task_id"] for task in answer.json()["tasks"]], int(answer.headers["X-Total-Count"])

    async def worker(self, name: str) -> Worker:
        return Agent(self.world, name, await self._register(name))

    async def work_as(self, caller: str | None) -> Refusal:
        path = f"/api/servers/{await self._register('gpu')}/heartbeat"
        return (await self.world.call("POST", path, caller, {}, prefix="")).status_code

    async def _register(self, name: str) -> str:
        answer = await self.world.call("POST", "/workers", "admin", {"worker_id": name, "worker_ip": ADDRESS})
        assert answer.status_code == 201, answer.text
        self.world.tokens[name] = answer.json()["server_token"]
        server_id: str = answer.json()["server_id"]
        return server_id


class Agent(ConnectedServer):
    async def connect(self) -> Socket:
        begins = self._socket is None
        socket = await super().connect()
        if begins:
            socket.send(HELLO)
        return socket
