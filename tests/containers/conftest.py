"""A real engine of containers and an image, both for all tests of this folder."""

from collections.abc import Iterator
from contextlib import closing

import docker
import pytest

from tests.support import containers
from tests.support.leaks import no_task_leaks

__all__ = ["no_task_leaks"]

collect_ignore_glob = [] if containers.working() else ["test_*.py"]  # nothing to run these in


@pytest.fixture(scope="session")
def engine() -> Iterator["docker.DockerClient"]:
    with closing(docker.from_env()) as client:
        yield client


@pytest.fixture(scope="session")
def image(engine: "docker.DockerClient") -> Iterator[str]:
    with containers.image(engine) as name:
        yield name
