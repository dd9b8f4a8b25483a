"""The agent as a program of its own, with a gateway on real Redis; its tasks run on a real engine of containers."""

import asyncio
import signal
from collections.abc import Callable

import docker
import pytest

from dispatcher.agent.runners.docker import AGENT_LABEL
from tests.e2e.agents import Fleet, fleet
from tests.e2e.conftest import gateway, here, invoke, start
from tests.support.program import Program

__all__ = ["fleet", "gateway", "here", "invoke", "start"]

pytestmark = pytest.mark.e2e

WRITES = "echo begins $ATTEMPT; mkdir $OUTPUT_DIR/results; echo 42 > $OUTPUT_DIR/results/answer.txt; sleep 1; echo bye"
FOREVER = "trap 'exit' TERM; while :; do echo up; sleep 0.1; done"
AGENT = "box-of-containers"


class Boxes:
    """Agents of one name, and their containers."""

    def __init__(self, fleet: Fleet, engine: "docker.DockerClient", image: str) -> None:
        self.fleet = fleet
        self.engine = engine
        self.image = image

    def agent(self) -> Program:
        flags = ("--runner", "docker", "--allow-image", self.image, "--terminate", "1", "--concurrency", "2")
        return self.fleet.agent(*flags, name=AGENT)

    async def submit(self, script: str) -> str:
        return await self.fleet.submit("docker", docker_image=self.image, command=["sh", "-c", script])

    async def says_something(self, task: str) -> None:
        await self.fleet.until(f"/api/task/{task}/logs", lambda log: log["lines"])

    async def until(self, holds: Callable[[list[str]], bool]) -> None:
        """Of the states of its containers."""
        async with asyncio.timeout(20):
            while not holds(self._states()):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)

    def _states(self) -> list[str]:
        ours = {"label": f"{AGENT_LABEL}={AGENT}"}
        return [one.status for one in self.engine.containers.list(all=True, filters=ours, ignore_removed=True)]


@pytest.fixture
def boxes(fleet: Fleet, engine: "docker.DockerClient", image: str) -> Boxes:
    return Boxes(fleet, engine, image)


async def test_lines_a_file_a_pause_and_a_cancel(boxes: Boxes, fleet: Fleet) -> None:
    agent = boxes.agent()
    task = await boxes.submit(WRITES)
    lines = fleet.lines(task)
    assert await anext(lines) == "begins 1"
    assert (await fleet.get(f"/api/task/{task}"))["status"] == "PROCESSING", "the line came while it runs"
    assert [line async for line in lines] == ["bye"]
    ended = await fleet.ended(task)
    assert (ended["status"], ended["result"]) == ("COMPLETED", {"exitCode": 0, "files": ["results/answer.txt"]})
    assert (await fleet.http.get(f"/api/task/{task}/files/results/answer.txt")).text == "42\n"

    long = await boxes.submit(FOREVER)
    await boxes.says_something(long)
    assert (await fleet.http.post(f"/api/task/{long}/pause")).status_code == 200
    await boxes.until(lambda states: states == ["paused"])
    assert (await fleet.http.post(f"/api/task/{long}/resume")).status_code == 200
    await boxes.until(lambda states: states == ["running"])
    assert (await fleet.http.post(f"/api/task/{long}/cancel")).status_code == 200
    await boxes.until(lambda states: states == [])
    agent.until(f"task {long} ends")

    other = await fleet.submit("docker", docker_image="other:1")
    agent.until(f"task {other} ends: image other:1 is not allowed on this worker")
    assert agent.stop(signal.SIGTERM) == 0


async def test_what_a_killed_agent_left_is_removed_and_its_task_offered_again(boxes: Boxes, fleet: Fleet) -> None:
    killed = boxes.agent()
    task = await boxes.submit(f"test $ATTEMPT = 1 || exit 0; {FOREVER}")
    await boxes.says_something(task)
    killed.end()
    await boxes.until(lambda states: states == ["running"])
    agent = boxes.agent()
    assert "left by an agent that was killed" in agent.seen
    ended = await fleet.ended(task)
    assert (ended["status"], ended["attempt"], ended["result"]) == ("COMPLETED", 2, {"exitCode": 0, "files": []})
    await boxes.until(lambda states: states == [])
    assert agent.stop(signal.SIGTERM) == 0
