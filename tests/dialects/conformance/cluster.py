"""The Cluster Manager: its document has no API for workers, so they claim over the native one."""

from typing import ClassVar

from tests.dialects.cluster.world import TASK, World
from tests.dialects.conformance.driver import ACCEPTED, Driver, Expected, Held, Refusal, Worker


class ClusterDriver(Driver):
    name = "cluster"
    absent: ClassVar = {
        "fail_then_retry": "a failed task stays failed: the document has no operation that runs it again"
    }
    expected = Expected(
        "queued", "running", "completed", "failed", "cancelled", submitted=200,
        late=409, foreign=403, other_end=409, stopped=409, cancelled_again=200,
    )  # fmt: skip
    bad_bodies = (
        {},
        [],
        {**TASK, "task_type": None},
        {**TASK, "task_type": ""},
        {**TASK, "model_name": 1},
        {**TASK, "parameters": "x"},
        {**TASK, "priority": "urgent"},
        {**TASK, "timeout": "300"},
        {**TASK, "timeout": 0},
    )
    world: World

    def __init__(self) -> None:
        super().__init__(World(cluster={"runs_on": "servers"}))

    async def submit(self, caller: str | None = "a", *, key: str = "", body: object = None) -> tuple[int, str]:
        headers = {"Idempotency-Key": key} if key else {}
        answer = await self.world.call("POST", "/tasks", caller, TASK if body is None else body, headers=headers)
        return answer.status_code, answer.json().get("task_id", "")

    def another_body(self) -> object:
        return {**TASK, "priority": "high"}

    async def see(self, task_id: str, caller: str | None = "a") -> tuple[int, str]:
        answer = await self.world.call("GET", f"/tasks/{task_id}", caller)
        return answer.status_code, answer.json().get("status", "")

    async def cancel(self, task_id: str, caller: str = "a") -> int:
        return (await self.world.call("DELETE", f"/tasks/{task_id}", caller)).status_code

    async def retry(self, task_id: str, caller: str = "a") -> int:
        raise AssertionError(self.absent["fail_then_retry"])

    async def page(self, number: int, size: int, caller: str = "a") -> tuple[list[str], int]:
        found = (await self.world.call("GET", f"/tasks?offset={number * size}&limit={size}", caller)).json()
        return [task["task_id"] for task in found["tasks"]], found["total"]

    async def worker(self, name: str) -> Worker:
        return Claimant(self.world, name, await self._register(name))

    async def work_as(self, caller: str | None) -> Refusal:
        path = f"/api/servers/{await self._register('gpu')}/claim"
        return (await self.world.call("POST", path, caller, {}, prefix="")).status_code

    async def _register(self, name: str) -> str:
        body = {"name": name, "maxConcurrent": 1, "transport": "pull"}
        answer = await self.world.call("POST", "/api/servers", "admin", body, prefix="")
        self.world.tokens[name] = answer.json()["serverToken"]
        return str(answer.json()["serverId"])


class Claimant(Worker):
    def __init__(self, world: World, name: str, server_id: str) -> None:
        self._world = world
        self._name = name
        self._path = f"/api/servers/{server_id}"

    async def take(self) -> Held | None:
        answer = await self._world.call("POST", f"{self._path}/claim", self._name, {}, prefix="")
        assert answer.status_code in (200, 204), answer.text
        return Held(answer.json()["taskId"], answer.json()["attempt"]) if answer.status_code == 200 else None

    async def end(self, held: Held, how: str) -> Refusal:
        return await self._report(held, status=how.upper())

    async def is_stopped(self, held: Held) -> bool:
        return await self._report(held, status="PROCESSING", progress=1) != ACCEPTED

    async def beat(self) -> None:
        answer = await self._world.call("POST", f"{self._path}/heartbeat", self._name, {}, prefix="")
        assert answer.status_code == 200, answer.text

    async def _report(self, held: Held, **body: object) -> Refusal:
        path, said = f"/api/task/{held.task_id}", {"attempt": held.attempt, **body}
        answer = await self._world.call("PUT", path, self._name, said, prefix="")
        return ACCEPTED if answer.status_code == 200 else answer.status_code
