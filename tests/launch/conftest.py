"""The test program on a real port, ended at the latest after the test."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from tests.launch import program


class Served:
    """A running program and its ports."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, program.__file__, *arguments]
        env = {**os.environ, "PYTHONPATH": os.getcwd()}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)
        assert self.process.stdout is not None
        self.out = self.process.stdout
        self.ports = [int(port) for port in self.out.readline().split()]
        self.url = f"127.0.0.1:{self.ports[0]}"

    def stop(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    running: list[Served] = []

    def start(engine: str, delay: float = 0, timeout: float = 5, drain: str = "returns") -> Served:
        running.append(Served(engine, str(delay), str(timeout), drain))
        return running[-1]

    yield start
    for served in running:
        served.stop()
