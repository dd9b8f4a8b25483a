"""What an agent does with files that a real gateway refuses while they are being sent."""

import pytest

from tests.e2e.agents import Fleet, fleet
from tests.e2e.conftest import LiveGateway

__all__ = ["fleet"]

pytestmark = pytest.mark.e2e

GIB = 1 << 30


@pytest.mark.parametrize("gateway", ["hypercorn", "granian"], indirect=True)
async def test_a_file_that_is_too_large_ends_its_task_with_the_reason(gateway: LiveGateway, fleet: Fleet) -> None:
    fleet.agent()
    body = {
        "type": "t", "priority": 1, "kind": "process", "resources": {"storageMB": 2048},
        "payload": {"command": ["sh", "-c", f"cd $OUTPUT_DIR; truncate -s {GIB + 1} big; echo 1 > small"]},
    }  # fmt: skip
    task_id = (await fleet.http.post("/api/task", json=body)).json()["id"]
    task = await fleet.ended(task_id)
    reason = "big was not taken: 413 The file is larger than a file may be, or the files of its task are in all"
    told = (task["status"], task["errorCode"], task["attempt"], task["error"])
    assert told == ("FAILED", "WORKER_FAILED", 1, reason)
    files = (await fleet.get(f"/api/task/{task_id}/files"))["files"]
    assert [file["path"] for file in files] == ["small"]
