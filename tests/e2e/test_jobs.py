"""The job queue on the port of its own, against a real gateway process and a real store."""

import asyncio
import re
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from dispatcher.store.engine import open_engine
from tests.e2e.documented_jobs_client import JobQueue, Worker
from tests.support.program import SECRET, Program

pytestmark = pytest.mark.e2e

LISTENERS = '[[listeners]]\ndialect = "jobs"\nport = 0\nauth = "none"\n'


@pytest.fixture
async def redis_url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    async with open_engine(tmp_path_factory.mktemp("state"), ["wheel"]) as engine:
        yield engine.url


async def test_a_client_written_from_the_document_works_unchanged(
    start: Callable[..., Program],
    redis_url: str,
    here: Path,
) -> None:
    (here / "wrangler-like-config.toml").write_text(LISTENERS)
    program = start("serve", "--port", "0", DISPATCHER_REDIS_URL=redis_url, DISPATCHER_JWT_SECRET=SECRET)
    await asyncio.to_thread(program.until, r"listening on http://127.0.0.1:(\d+)")
    port = (await asyncio.to_thread(program.until, r"listening on http://127.0.0.1:(\d+)"))[1]
    queue = JobQueue(f"127.0.0.1:{port}")
    await asyncio.to_thread(_use, queue)
    waiting = [asyncio.create_task(asyncio.to_thread(_wait, queue, name)) for name in ("w1", "w2")]
    async with asyncio.timeout(10):
        await asyncio.to_thread(_until_active, queue, 3)
        await asyncio.to_thread(queue.submit, "t", "foreground")
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    assert sorted(one.done() for one in waiting) == [False, True]
    assert await asyncio.to_thread(program.stop, signal.SIGTERM) == 0
    assert sorted([await one for one in waiting]) == [200, 204], "the other one is told to go when the gateway stops"


def _until_active(queue: JobQueue, executors: int) -> None:
    deadline = time.monotonic() + 30
    while queue.ask("GET", "/admin/stats")[1]["active_executors"] < executors:
        assert time.monotonic() < deadline, "the executors did not come"
        time.sleep(0.05)  # another process: nothing to wait on but its answers


def _wait(queue: JobQueue, name: str) -> int:
    return queue.ask("POST", "/jobs/claim?wait=30", {"executor_id": name})[0]


def _use(queue: JobQueue) -> None:
    assert queue.ask("GET", "/health") == (200, {"status": "healthy", "database": "connected"})
    worker = Worker(queue, "worker-1-abc123")
    assert worker.claim() is None

    slow = queue.submit("slow", "background")
    fast = queue.submit("fast", "foreground", arguments=["arg1"], env_variables={"KEY1": "value1"})
    job = worker.claim()
    assert (job["id"], job["arguments"], job["env_variables"]) == (fast, ["arg1"], {"KEY1": "value1"})
    assert worker.tell("heartbeat", fast)[0] == 200
    assert worker.tell("heartbeat", slow)[0] == 404
    assert worker.tell("complete", slow)[0] == 400
    assert worker.tell("complete", fast, stdout="Job output...", stderr="", exit_code=0)[0] == 200
    _, done = queue.ask("GET", f"/jobs/{fast}")
    assert (done["status"], done["stdout"], done["exit_code"]) == ("completed", "Job output...", 0)
    assert done["attempts"][0]["executor_ip"] == "192.168.1.100"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", done["completed_at"])

    assert worker.claim()["id"] == slow
    assert queue.ask("DELETE", f"/jobs/{slow}")[0] == 400
    assert (
        worker.tell("fail", slow, stdout="", stderr="no", exit_code=1, error_message="Binary execution failed")[0]
        == 200
    )
    _, failed = queue.ask("GET", "/jobs?status=failed&type=slow&priority=background&limit=10&offset=0")
    assert [one["id"] for one in failed] == [slow]

    bulk = [{**_JOB, "type": f"job-{n}"} for n in range(100)]
    status, made = queue.ask("POST", "/jobs/bulk", bulk)
    assert (status, len(made)) == (201, 100)
    ids = [one["id"] for one in made]
    assert queue.ask("DELETE", f"/jobs/{ids[0]}")[0] == 200
    assert queue.ask("POST", "/jobs/bulk/cancel", {"job_ids": ids[:3]})[1]["cancelled"] == 2

    _, stats = queue.ask("GET", "/admin/stats")
    assert stats == {
        "jobs_by_status": {"pending": 97, "running": 0, "completed": 1, "failed": 1, "cancelled": 3},
        "pending_by_priority": {"foreground": 0, "background": 97, "best_effort": 0},
        "active_executors": 1,
    }
    _, cancelled = queue.ask("POST", "/jobs/bulk/cancel", {"job_ids": ids[3:]})
    assert cancelled == {"cancelled": 97, "failed": 0, "errors": []}
    _, executors = queue.ask("GET", "/admin/executors")
    assert [(one["executor_id"], one["jobs_completed"]) for one in executors] == [("worker-1-abc123", 1)]
    assert "# TYPE dispatcher_jobs gauge" in queue.ask("GET", "/metrics")[1]

    status, refused = queue.ask("POST", "/jobs", {"type": "x"})
    assert (status, refused["context"]) == (400, {"field": "binary_url"})
    assert queue.ask("GET", "/jobs/550e8400-e29b-41d4-a716-446655440000")[0] == 404


_JOB = {"binary_url": "https://example.com/b", "binary_sha256": "0" * 64, "priority": "background"}
