"""What an engine of containers does not do, or only seems to do, and what that means for a task."""

from contextlib import suppress
from typing import Any

import docker
from docker.errors import APIError, DockerException, NotFound

from dispatcher.agent.errors import NotHere, TaskError
from dispatcher.agent.task import Needs

KILLED = 137  # exit code of what SIGKILL ended


class PullError(Exception):
    """An image did not arrive."""


ERRORS = (DockerException, PullError, OSError)  # the engine's, and of the connection to it


def fetch_image(client: "docker.DockerClient", image: str) -> None:
    """Pull it unless it is there. Raises DockerException, PullError, OSError."""
    try:
        client.images.get(image)
    except NotFound:
        # not `images.pull`, which passes over an error that comes after the pull has begun
        for told in client.api.pull(image, stream=True, decode=True):
            if detail := told.get("errorDetail"):
                raise PullError(str(detail.get("message"))) from None
        client.images.get(image)


def check_limits(container: Any, needs: Needs) -> None:
    """Some engines make a container without a limit that they cannot hold. Raises NotHere."""
    kept = container.attrs["HostConfig"]
    if needs.memory and not kept.get("Memory"):
        raise NotHere("the engine of this worker cannot limit the memory of a container")
    if needs.gpu and not (kept.get("DeviceRequests") or kept.get("Devices")):
        raise NotHere("the engine of this worker gives containers no GPU")


def no_container(error: Exception, needs: Needs) -> TaskError | NotHere:
    """For one that could not be made: another try is of no use when there is no such image."""
    failed = failure("the container cannot be made", error, needs)
    if isinstance(failed, TaskError):
        failed.retryable &= not isinstance(error, NotFound) and "manifest unknown" not in text_of(error)
    return failed


def failure(what: str, error: Exception, needs: Needs) -> TaskError | NotHere:
    """Another try is of no use when what was asked for makes no sense, such as a command that the image has not."""
    text = text_of(error)
    if needs.gpu and "gpu" in text.lower():
        return NotHere(f"the engine of this worker gives containers no GPU: {text}")
    return TaskError(f"{what}: {text}", retryable=not (isinstance(error, APIError) and error.status_code == 400))


def text_of(error: Exception) -> str:
    return str(getattr(error, "explanation", None) or error)[:500]


def end_of(container: Any, code: int) -> str:
    """In words, how a command ended that failed."""
    text = f"the command exited with {code}"
    with suppress(*ERRORS):
        if code == KILLED:
            container.reload()
            if container.attrs["State"].get("OOMKilled"):
                return f"{text}: it took more memory than it had asked for"
    return text
