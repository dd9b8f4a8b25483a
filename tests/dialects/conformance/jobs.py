"""The job queue: executors claim."""

from typing import ClassVar

from tests.dialects.conformance.driver import ACCEPTED, Driver, Expected, Held, Refusal, Worker
from tests.dialects.jobs.world import JOB, World


class JobsDriver(Driver):
    name = "jobs"
    absent: ClassVar = {
        "fail_then_retry": "a failed job stays failed: the document has no operation that runs it again"
    }
    expected = Expected(
        "pending", "running", "completed", "failed", "cancelled", submitted=201,
        late=400, foreign=400, other_end=400, stopped=400, cancelled_again=400, cancel_running=400, lease_ms=60_000,
    )  # fmt: skip
    bad_bodies = (
        {},
        [],
        {**JOB, "type": None},
        {**JOB, "type": "two words"},
        {**JOB, "binary_sha256": "abc123..."},
        {**JOB, "binary_url": "ftp://example.com/binary"},
        {**JOB, "priority": "urgent"},
        {**JOB, "arguments": "arg1"},
        {**JOB, "env_variables": {"KEY1": 1}},
    )

    def __init__(self) -> None:
        super().__init__(World())

    async def submit(self, caller: str | None = "a", *, key: str = "", body: object = None) -> tuple[int, str]:
        headers = {"Idempotency-Key": key} if key else {}
        answer = await self.world.call("POST", "/jobs", caller, JOB if body is None else body, headers=headers)
        return answer.status_code, answer.json().get("id", "")

    def another_body(self) -> object:
        return {**JOB, "type": "other"}

    async def see(self, task_id: str, caller: str | None = "a") -> tuple[int, str]:
        answer = await self.world.call("GET", f"/jobs/{task_id}", caller)
        return answer.status_code, answer.json().get("status", "")

    async def cancel(self, task_id: str, caller: str = "a") -> int:
        return (await self.world.call("DELETE", f"/jobs/{task_id}", caller)).status_code

    async def retry(self, task_id: str, caller: str = "a") -> int:
        raise AssertionError(self.absent["fail_then_retry"])

    async def page(self, number: int, size: int, caller: str = "a") -> tuple[list[str], int]:
        answer = await self.world.call("GET", f"/jobs?offset={number * size}&limit={size}", caller)
        return [job["id"] for job in answer.json()], int(answer.headers["X-Total-Count"])

    async def worker(self, name: str) -> Worker:
        return Executor(self.world, name)

    async def work_as(self, caller: str | None) -> Refusal:
        return (await self.world.call("POST", "/jobs/claim", caller, {"executor_id": "w1"})).status_code


class Executor(Worker):
    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self._name = name

    async def take(self) -> Held | None:
        job = await self._world.claim(self._name)
        return None if job is None else Held(job["id"], job["attempt"])

    async def end(self, held: Held, how: str) -> Refusal:
        verb = {"completed": "complete", "failed": "fail"}[how]
        answer = await self._world.tell(verb, held.task_id, self._name)
        return ACCEPTED if answer.status_code == 200 else answer.status_code

    async def is_stopped(self, held: Held) -> bool:
        return (await self._world.tell("heartbeat", held.task_id, self._name)).status_code != 200
