"""A worker of CloudAI with the real agent: a command runs, is heard meanwhile, leaves a file, and can be stopped."""

import asyncio
import signal
import time
from collections.abc import Callable

import pytest

from tests.e2e.conftest import LiveGateway
from tests.e2e.documented_cloudai_client import CloudAI

pytestmark = pytest.mark.e2e

WORK = {"docker_image": "tools/sh:1", "cpu_required": 0.5, "memory_required": "0.25", "storage_required": 0.1}
WRITES = "sh -c 'echo begins; mkdir $OUTPUT_DIR/results; echo 42 > $OUTPUT_DIR/results/output.txt; sleep 1; echo ends'"
FOREVER = "sh -c 'echo up; while :; do sleep 0.1; done'"


async def test_a_registered_worker_runs_what_its_agent_may(gateway: LiveGateway) -> None:
    server = gateway.url.removeprefix("http://")
    user, root = (
        CloudAI(server, gateway.token("--sub", sub, "--role", role), "/cloudai")
        for sub, role in (("admin", "client"), ("root", "admin"))
    )
    _, registered = await asyncio.to_thread(root.register, "worker-1", "localhost:50052")
    waits = await asyncio.to_thread(lambda: user.submit(**WORK, command=WRITES))
    agent = gateway.start(
        "agent", "--url", gateway.url, "--name", "worker-1", "--server-id", registered["server_id"],
        "--runner", "process", "--allow-image", "tools/*", "--resource", "cpu=2",
        DISPATCHER_TOKEN=registered["server_token"],
    )  # fmt: skip
    await asyncio.to_thread(_follow, user, waits)
    await asyncio.to_thread(_stop, user)
    assert await asyncio.to_thread(agent.stop, signal.SIGTERM) == 0


def _follow(user: CloudAI, task_id: str) -> None:
    messages = user.follow(task_id)
    assert [next(messages).get("line") for _ in range(2)] == [None, "begins"]
    assert user.task(task_id)["status"] == "running", "the line came while it runs"
    worker = user.workers()["worker-1"]
    assert (worker["is_active"], worker["total_resources"]["cpu"], worker["available_resources"]["cpu"]) == (
        True,
        2,
        1.5,
    )
    assert [message.get("line", message["type"]) for message in messages] == ["ends", "complete", "closed"]
    done = user.task(task_id)
    assert (done["status"], done["assigned_worker"]) == ("completed", "worker-1")
    (file,) = user.get(f"/api/files/{task_id}?user_id=admin")["files"]
    path = f"/api/files/{task_id}/download/{file['file_path']}?user_id=admin"
    assert (file["file_path"], user.fetch("GET", path)[2]) == ("results/output.txt", b"42\n")


def _stop(user: CloudAI) -> None:
    task_id = user.submit(**WORK, command=FOREVER, tag="web-server")
    messages = user.follow(task_id)
    assert [next(messages).get("line") for _ in range(2)] == [None, "up"]
    assert user.cancel(task_id)[0] == 200
    assert [message.get("status", message["type"]) for message in messages] == ["cancelled", "closed"]
    _until(lambda: user.workers()["worker-1"]["running_tasks_count"] == 0)
    assert user.workers()["worker-1"]["allocated_resources"] == {"cpu": 0, "memory": 0, "storage": 0, "gpu": 0}
    failed = user.submit(**WORK, command="sh -c 'exit 7'")
    _until(lambda: user.task(failed)["status"] == "failed")
    assert "7" in user.task(failed)["error"]


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)  # another process: nothing to wait on but its answers
