"""The agent as a program of its own, against a real gateway: lines while a task runs, files, cancel, kill, restart."""

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import LiveGateway
from tests.support.program import Program

pytestmark = pytest.mark.e2e

MODEL = """
class Model:
    def load(self):
        self.weights = bytearray(b"x" * (64 << 20))

    def predict(self, parameters):
        print("asked", parameters["n"], flush=True)
        return {"double": 2 * parameters["n"]}
"""

WRITES = "echo begins $ATTEMPT; mkdir $OUTPUT_DIR/results; echo 42 > $OUTPUT_DIR/results/answer.txt; sleep 2; echo bye"
TAKES_ITS_LEAVE = "trap 'echo cleaned; exit' TERM; echo up; while :; do sleep 0.1; done"


class Fleet:
    """A client, an administrator, and agents."""

    def __init__(self, gateway: LiveGateway) -> None:
        self._gateway = gateway
        self.admin = gateway.token("--sub", "root", "--role", "admin")
        client = gateway.token("--sub", "ann", "--role", "client")
        self.http = httpx.AsyncClient(base_url=gateway.url, headers={"Authorization": f"Bearer {client}"}, timeout=30)

    def agent(self, *flags: str, name: str = "box") -> Program:
        arguments = ("agent", "--url", self._gateway.url, "--name", name, *flags)
        program = self._gateway.start(*arguments, DISPATCHER_TOKEN=self.admin)
        program.until("connected as")
        return program

    async def submit(self, kind: str, **payload: Any) -> str:
        body = {"type": "t", "priority": 1, "kind": kind, "payload": payload, "resources": {"memoryMB": 512}}
        answer = await self.http.post("/api/task", json=body)
        assert answer.status_code == 200, answer.text
        name: str = answer.json()["id"]
        return name

    async def get(self, path: str) -> Any:
        answer = await self.http.get(path, headers={"Authorization": f"Bearer {self.admin}"})
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def until(self, path: str, condition: Callable[[Any], bool]) -> Any:
        async with asyncio.timeout(40):
            while not condition(found := await self.get(path)):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)
        return found

    async def ended(self, task_id: str) -> Any:
        return await self.until(f"/api/task/{task_id}", lambda task: task["status"] not in ("PENDING", "PROCESSING"))

    async def order(self, path: str, body: object = None) -> Any:
        answer = await self.http.post(path, json=body, headers={"Authorization": f"Bearer {self.admin}"})
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def lines(self, task_id: str) -> AsyncIterator[str]:
        """As they come, over server-sent events."""
        async with self.http.stream("GET", f"/api/task/{task_id}/logs/stream") as stream:
            async for line in stream.aiter_lines():
                if line.startswith("data:") and "text" in (told := json.loads(line[5:])):
                    yield told["text"]


@pytest.fixture
async def fleet(gateway: LiveGateway) -> AsyncIterator[Fleet]:
    made = Fleet(gateway)
    async with made.http:
        yield made


async def test_lines_while_it_runs_a_file_afterwards_and_cancel_with_grace(fleet: Fleet) -> None:
    agent = fleet.agent("--concurrency", "2")
    task = await fleet.submit("process", command=["sh", "-c", WRITES])
    lines = fleet.lines(task)
    assert await anext(lines) == "begins 1"
    assert (await fleet.get(f"/api/task/{task}"))["status"] == "PROCESSING", "the line came while it runs"
    assert [line async for line in lines] == ["bye"]
    ended = await fleet.ended(task)
    assert (ended["status"], ended["result"]) == ("COMPLETED", {"exitCode": 0, "files": ["results/answer.txt"]})
    assert (await fleet.http.get(f"/api/task/{task}/files/results/answer.txt")).text == "42\n"

    polite = await fleet.submit("process", command=["sh", "-c", TAKES_ITS_LEAVE])
    await fleet.until(f"/api/task/{polite}/logs", lambda log: len(log["lines"]) == 1)
    assert (await fleet.http.post(f"/api/task/{polite}/cancel")).status_code == 200
    agent.until(f"task {polite} ends")
    (server,) = (await fleet.get("/api/servers"))["servers"]
    assert (server["kinds"], server["resources"]["cpu"] > 0) == (["process"], True)
    freed = await fleet.until(f"/api/servers/{server['id']}", lambda found: found["activeTasks"] == 0)
    assert freed["allocated"] == {}
    assert agent.stop(signal.SIGTERM) == 0


def until_gone(command: Path) -> None:
    """Until nothing sleeps under this process id any more."""
    for _ in range(1_000):
        if not (command.exists() and b"sleep" in command.read_bytes()):
            return
        time.sleep(0.01)  # a real process
    raise AssertionError("it outlived its agent")


async def test_a_killed_agent_s_task_is_offered_again(fleet: Fleet) -> None:
    agent = fleet.agent()
    task = await fleet.submit("process", command="sh -c 'echo $ATTEMPT $$; test $ATTEMPT = 2 || exec sleep 60'")
    log = await fleet.until(f"/api/task/{task}/logs", lambda log: len(log["lines"]) == 1)
    agent.end()
    pid = log["lines"][0]["text"].split()[1]
    await asyncio.to_thread(until_gone, Path(f"/proc/{pid}/cmdline"))
    other = fleet.agent(name="other")
    ended = await fleet.ended(task)
    assert (ended["status"], ended["attempt"], ended["result"]["exitCode"]) == ("COMPLETED", 2, 0)
    log = await fleet.get(f"/api/task/{task}/logs")
    assert [(line["attempt"], line["text"][0]) for line in log["lines"]] == [(1, "1"), (2, "2")]
    assert other.stop(signal.SIGTERM) == 0


async def test_models_are_loaded_used_and_unloaded_and_a_restart_is_seen_through(fleet: Fleet, tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    (models / "doubler.py").write_text(MODEL)
    flags = ("--runner", "model", "--models", str(models), "--resource", "memoryMB=4096")
    agent = fleet.agent(*flags)
    (server,) = (await fleet.get("/api/servers"))["servers"]
    where = {"model": "doubler", "servers": [server["id"]]}
    assigned = await fleet.order("/api/models/assign", where)
    loaded = await fleet.until(f"/api/operations/{assigned['assignmentId']}", lambda found: found["state"] != "running")
    assert loaded["state"] == "done", loaded
    (placed,) = (await fleet.get("/api/models"))["models"]
    assert placed["status"] == "loaded"
    assert placed["memory"] > 64 << 20
    task = await fleet.submit("model", model="doubler", parameters={"n": 21})
    assert (await fleet.ended(task))["result"] == {"double": 42}
    assert (await fleet.get(f"/api/task/{task}/logs"))["lines"][0]["text"] == "asked 21"
    held = (await fleet.get(f"/api/servers/{server['id']}"))["allocated"]["memoryMB"]
    assert held == pytest.approx(placed["memory"] / (1 << 20), abs=0.01)
    unloading = await fleet.order("/api/models/unload", where)
    await fleet.until(f"/api/operations/{unloading['id']}", lambda found: found["state"] == "done")
    assert (await fleet.get(f"/api/servers/{server['id']}"))["allocated"] == {}

    restart = await fleet.order(f"/api/servers/{server['id']}/restart")
    assert await asyncio.to_thread(agent.process.wait, 20) == 75
    fleet.agent(*flags)  # as a supervisor does
    done = await fleet.until(f"/api/operations/{restart['id']}", lambda found: found["state"] != "running")
    assert done["state"] == "done", done


async def test_whom_the_gateway_refuses_gives_up_and_shows_no_token(fleet: Fleet, gateway: LiveGateway) -> None:
    client = gateway.token("--sub", "ann", "--role", "client")
    refused = gateway.start("agent", "--url", gateway.url, "--name", "box", DISPATCHER_TOKEN=client)
    refused.until(r"dispatcher: http://\S+: 403 ")
    assert refused.process.wait(20) == 1
    assert client not in refused.seen
