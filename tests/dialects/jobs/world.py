"""The gateway with the job queue, and what its clients and executors do."""

from typing import Any

import httpx

from tests.dialects.world import GatewayWorld

SHA = "ab" * 32
JOB = {
    "type": "data-processing",
    "binary_url": "https://example.com/binary",
    "binary_sha256": SHA,
    "priority": "background",
}
EXECUTOR = "worker-1-abc123"
START_MS = 1_704_110_400_000  # 2024-01-01T12:00:00Z


class World(GatewayWorld):
    name = "jobs"
    base = "/jobs/api/v1"

    def __init__(self, **sections: Any) -> None:
        super().__init__(START_MS, **sections)
        self.tokens["bound"] = self.issue("x", ["server"], server_id=f"jobs:{EXECUTOR}")

    async def submit(self, caller: str = "a", **more: Any) -> str:
        answer = await self.call("POST", "/jobs", caller, {**JOB, **more})
        assert answer.status_code == 201, answer.text
        job_id: str = answer.json()["id"]
        return job_id

    async def claim(self, executor: str = EXECUTOR, caller: str = "worker", **more: Any) -> dict[str, Any] | None:
        answer = await self.call("POST", "/jobs/claim", caller, {"executor_id": executor, **more})
        assert answer.status_code in (200, 204), answer.text
        return answer.json() if answer.status_code == 200 else None

    async def tell(self, what: str, job_id: str, executor: str = EXECUTOR, **more: Any) -> httpx.Response:
        return await self.call("PUT", f"/jobs/{job_id}/{what}", "worker", {"executor_id": executor, **more})

    async def job(self, job_id: str, caller: str = "admin") -> dict[str, Any]:
        answer = await self.call("GET", f"/jobs/{job_id}", caller)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found
