"""The runner of containers on a stand-in of the engine."""

from collections.abc import Iterator
from typing import Any

import docker
import pytest

from dispatcher.agent.attempt import Attempt
from dispatcher.agent.runners.docker import DockerOptions, DockerRunner
from dispatcher.agent.task import Needs
from tests.agent.attempts import Told, an_attempt
from tests.agent.docker_engine import Engine, engine

IMAGES = ("ubuntu:*", "python:*", "gone:*")


@pytest.fixture
def host() -> Iterator[Engine]:
    with engine() as made:
        yield made


@pytest.fixture
def client(host: Engine) -> Iterator["docker.DockerClient"]:
    made = docker.DockerClient(base_url=host.url, version="1.44")
    yield made
    made.close()


def runner(client: "docker.DockerClient", **options: Any) -> DockerRunner:
    return DockerRunner(client, DockerOptions(IMAGES, "box-1", **options))


def a_task(needs: Needs | None = None, **payload: Any) -> tuple[Attempt, Told]:
    return an_attempt("docker", {"docker_image": "ubuntu:24.04", "command": "echo 'a b'", **payload}, needs)
