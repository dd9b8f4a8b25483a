"""`dispatcher dev` on a state directory: a kill of everything loses no task."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import aiohttp
import psutil
import pytest

from tests.cli.conftest import Program, here, start  # noqa: F401 - fixtures

pytestmark = pytest.mark.e2e


def _token(state: Path) -> str:
    return (state / "token").read_text()


async def test_tasks_survive_a_kill_of_gateway_and_engine(start: Callable[..., Program], here: Path) -> None:  # noqa: F811
    state = here / "state"
    first = start("dev", "--port", "0", "--no-demo", "--state", str(state), DISPATCHER_LIMITS__ENABLED="false")
    url = first.until(r"API +(http://\S+)")[1]
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {_token(state)}"}) as http:
        ids = []
        for number in range(25):
            body = {"type": "t", "priority": number % 11, "payload": {"number": number}}
            async with http.post(f"{url}/api/task", json=body) as answer:
                ids.append((await answer.json())["id"])
    family = psutil.Process(first.process.pid).children(recursive=True)
    assert family, "there is an engine"
    os.kill(first.process.pid, signal.SIGKILL)
    for process in family:
        process.kill()
    psutil.wait_procs(family, timeout=5)
    first.process.wait()

    second = start("dev", "--port", "0", "--state", str(state), DISPATCHER_LIMITS__ENABLED="false")
    url = second.until(r"API +(http://\S+)")[1]
    second.until("^curl")
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {_token(state)}", "Prefer": "wait=20"}) as http:
        for number, task in enumerate(ids):
            async with http.get(f"{url}/api/task/{task}") as answer:
                ended = await answer.json()
            assert (ended["id"], ended["status"], ended["result"]["echo"]) == (task, "COMPLETED", {"number": number})
    assert second.stop(signal.SIGINT) == 0
