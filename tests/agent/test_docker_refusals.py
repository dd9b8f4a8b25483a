"""What an engine of containers refuses, or only seems to do: what the task is told, and whether it is tried again."""

import docker
import pytest

from dispatcher.agent.errors import NotHere, TaskError
from dispatcher.agent.task import Needs
from tests.agent.containers import a_task, client, host, runner
from tests.agent.docker_engine import Engine

__all__ = ["client", "host"]


async def test_a_pull_that_breaks_off_is_told_and_worth_another_try(
    host: Engine, client: "docker.DockerClient"
) -> None:
    for error, retryable in (("unexpected HTTP status: 503", True), ("manifest unknown", False)):
        host.pull_error = error
        attempt, _ = a_task(docker_image="python:3.13")
        with pytest.raises(TaskError, match=f"the container cannot be made: {error}") as failed:
            await runner(client).run(attempt)
        assert failed.value.retryable is retryable
    assert host.created == {}


@pytest.mark.parametrize(
    ("needs", "unkept", "told"),
    [
        (Needs(memory=1 << 30), "Memory", "cannot limit the memory"),
        (Needs(gpu=0.5), "DeviceRequests", "gives containers no GPU"),
    ],
)
async def test_an_engine_that_cannot_keep_to_a_limit_runs_nothing(
    host: Engine, client: "docker.DockerClient", needs: Needs, unkept: str, told: str
) -> None:
    host.unkept = {unkept}
    attempt, _ = a_task(needs)
    with pytest.raises(NotHere, match=told):
        await runner(client).run(attempt)
    assert host.calls[-2:] == ["GET /containers/ID/json", "DELETE /containers/ID"]


@pytest.mark.parametrize(
    ("status", "message", "error", "retryable"),
    [
        (400, 'exec: "nosuch": executable file not found in $PATH', TaskError, False),
        (500, "no space left on device", TaskError, True),
        (500, 'could not select device driver "" with capabilities: [[gpu]]', NotHere, None),
    ],
)
async def test_a_container_that_does_not_start(
    host: Engine,
    client: "docker.DockerClient",
    status: int,
    message: str,
    error: type[Exception],
    retryable: bool | None,
) -> None:
    host.refusal = (status, message)
    attempt, _ = a_task(Needs(gpu=1))
    with pytest.raises(error) as refused:
        await runner(client).run(attempt)
    assert getattr(refused.value, "retryable", None) == retryable
    assert message in str(refused.value)
    assert host.calls[-1] == "DELETE /containers/ID"
