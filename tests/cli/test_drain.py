"""A gateway that is told to stop lets its callers have their answers."""

import json
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.support.program import Program

pytestmark = pytest.mark.e2e
TASK = {"type": "t", "priority": 1, "payload": {}, "async": False}


@pytest.mark.parametrize("engine", ["hypercorn", "granian"])
def test_who_waits_for_a_task_is_answered_before_the_end(
    start: Callable[..., Program], here: Path, engine: str
) -> None:
    gateway = start("dev", "--port", "0", DISPATCHER_SERVER__ENGINE=engine, DISPATCHER_LIMITS__ENABLED="false")
    url = gateway.until(r"API +(http://\S+)")[1]
    gateway.until("^curl")
    headers = {"Authorization": f"Bearer {(here / '.dispatcher' / 'token').read_text()}"}
    answers: list[str] = []

    def call() -> None:
        answers.append(httpx.post(f"{url}/api/task", headers=headers, json=TASK, timeout=20).json()["status"])

    callers = [threading.Thread(target=call) for _ in range(3)]  # one for each server, in turn
    for caller in callers:
        caller.start()
    with httpx.Client(headers=headers) as client:
        while not _slow_server_works(client, url):
            pass
    assert gateway.stop(signal.SIGINT) == 0
    for caller in callers:
        caller.join(10)
    assert answers == ["COMPLETED"] * 3


def _slow_server_works(client: httpx.Client, url: str) -> bool:
    """It has said so: a task that was granted, and is on its way there, goes back to the queue."""
    tasks = json.loads(client.get(f"{url}/api/tasks").content)["tasks"]
    return any(task["progress"] == 50 for task in tasks)
