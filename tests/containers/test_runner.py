"""The runner of containers on a real engine."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import docker
import pytest

from dispatcher.agent.attempt import Attempt
from dispatcher.agent.errors import NotHere, TaskError
from dispatcher.agent.runners.docker import AGENT_LABEL, DockerOptions, DockerRunner
from dispatcher.agent.task import End, Needs
from tests.agent.attempts import Told, an_attempt

MB = 1 << 20
SAYS = """
echo one; echo err >&2; echo $OUTPUT_DIR $TASK_ID $A
grep -E 'CapEff|CapBnd|NoNewPrivs' /proc/self/status; grep -c : /proc/net/dev
mkdir $OUTPUT_DIR/results; echo 42 > $OUTPUT_DIR/results/answer.txt; ln -s /etc/passwd $OUTPUT_DIR/link
ln $OUTPUT_DIR/results/answer.txt $OUTPUT_DIR/same
printf two
"""
COUNTS = "trap 'echo bye; exit' TERM; i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done"
DEAF = "trap '' TERM; echo up; while :; do sleep 0.05; done"


class Runs:
    """Tasks of one image, run by an agent named `box-1`."""

    def __init__(self, engine: "docker.DockerClient", image: str) -> None:
        self.engine = engine
        self.image = image

    def runner(self, **options: Any) -> DockerRunner:
        images = (self.image, "gone*", "127.0.0.1:*")
        return DockerRunner(self.engine, DockerOptions(images, "box-1", **{"terminate_s": 1, **options}))

    def task(self, *command: str, needs: Needs | None = None, **payload: Any) -> tuple[Attempt, Told]:
        return an_attempt("docker", {"docker_image": self.image, "command": list(command), **payload}, needs)

    def containers(self, agent: str = "box-1") -> list[Any]:
        ours = {"label": f"{AGENT_LABEL}={agent}"}
        found: list[Any] = self.engine.containers.list(all=True, filters=ours, ignore_removed=True)
        return found


@pytest.fixture
def runs(engine: "docker.DockerClient", image: str) -> Runs:
    return Runs(engine, image)


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)


async def test_what_a_container_says_leaves_and_may(runs: Runs) -> None:
    attempt, told = runs.task("sh", "-c", SAYS, env={"A": "x y"}, needs=Needs(cpu=0.5, memory=64 * MB))
    assert await runs.runner().run(attempt) == End(result={"exitCode": 0, "files": ["results/answer.txt", "same"]})
    assert told.files == {"results/answer.txt": b"42\n", "same": b"42\n"}, "a hard link is a file like the other"
    left_out = "[not uploaded, being no regular file that can be read: 'link']"
    assert [text for stream, text in told.lines if stream == "stderr"] == ["err", left_out]
    assert [text for stream, text in told.lines if stream == "stdout"] == [
        "one", "/output t1 x y", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "1", "two"
    ]  # fmt: skip
    assert runs.containers() == []


async def test_lines_come_while_it_runs(runs: Runs) -> None:
    attempt, told = runs.task("sh", "-c", COUNTS)
    running = asyncio.create_task(runs.runner().run(attempt))
    await until(lambda: told.lines)
    assert not running.done()
    (container,) = runs.containers()
    attempt.pause(True)
    await until(lambda: runs.containers()[0].status == "paused")
    held = len(told.lines)
    attempt.pause(False)
    attempt.pause(True)
    attempt.pause(False)
    await until(lambda: len(told.lines) > held + 3)
    attempt.pause(True)
    attempt.stop("not wanted")
    assert await running == End(error="not wanted")
    assert told.lines[-1] == ("stdout", "bye"), "it could take its leave"
    numbers = [int(text) for _, text in told.lines[:-1]]
    assert numbers == list(range(1, len(numbers) + 1))
    assert container not in runs.containers()


async def test_what_does_not_listen_is_killed(runs: Runs) -> None:
    attempt, told = runs.task("sh", "-c", DEAF)
    running = asyncio.create_task(runs.runner().run(attempt))
    await until(lambda: told.lines)
    began = time.monotonic()
    attempt.stop("not wanted")
    assert await running == End(error="not wanted")
    assert time.monotonic() - began > 0.9
    assert runs.containers() == []


async def test_more_memory_than_it_asked_for(runs: Runs) -> None:
    attempt, _ = runs.task("dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1", needs=Needs(memory=32 * MB))
    told = "the command exited with 137: it took more memory than it had asked for"
    assert await runs.runner().run(attempt) == End(error=told)
    attempt, _ = runs.task("dd", "if=/dev/zero", "of=/dev/null", "bs=20M", "count=1", needs=Needs(memory=64 * MB))
    assert (await runs.runner().run(attempt)).error is None


async def test_how_else_it_may_end(runs: Runs) -> None:
    attempt, _ = runs.task("sh", "-c", "rm -r $OUTPUT_DIR; exit 7")
    assert await runs.runner().run(attempt) == End(error="the command exited with 7")
    attempt, _ = runs.task("sleep", "60")
    assert (await runs.runner(timeout_s=0.5).run(attempt)).error == "the time limit of 0.5 s is over"


@pytest.mark.parametrize(
    ("payload", "needs", "error", "told"),
    [
        ({"command": ["nosuch"]}, Needs(), TaskError, "nosuch"),
        ({"command": ""}, Needs(), TaskError, "(?i)no command"),
        ({"docker_image": "gone: 1"}, Needs(), TaskError, "the container cannot be made"),
        ({"docker_image": "other:1"}, Needs(), NotHere, "not allowed"),
        ({}, Needs(gpu=1), NotHere, "gives containers no GPU"),
    ],
    ids=["command", "no command", "image", "not allowed", "gpu"],
)
async def test_what_cannot_be_run(
    runs: Runs, payload: dict[str, Any], needs: Needs, error: type[Exception], told: str
) -> None:
    attempt, _ = runs.task("true", needs=needs, **payload)
    with pytest.raises(error, match=told) as refused:
        await runs.runner().run(attempt)
    assert not getattr(refused.value, "retryable", False)
    assert runs.containers() == []


def test_only_what_an_agent_of_this_name_left_is_removed(runs: Runs) -> None:
    left = [
        runs.engine.containers.create(runs.image, ["sleep", "60"], network_mode="none", labels={AGENT_LABEL: name})
        for name in ("box-1", "box-1", "box-10")
    ]
    try:
        left[0].start()
        left[0].pause()
        runs.runner().remove_leftovers()
        assert runs.containers() == []
        assert runs.containers("box-10") == left[2:]
    finally:
        left[2].remove(force=True)
