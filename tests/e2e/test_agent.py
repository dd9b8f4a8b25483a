"""The agent as a program of its own, against a real gateway: lines while a task runs, files, cancel, kill, restart."""

import asyncio
import signal
import time
from pathlib import Path

import pytest

from tests.e2e.agents import Fleet, fleet
from tests.e2e.conftest import LiveGateway

__all__ = ["fleet"]

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
