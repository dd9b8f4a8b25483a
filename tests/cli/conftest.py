"""The `dispatcher` program in a directory of its own, in this process or in one of its own."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dispatcher.cli.commands import app

SECRET = "q8Vx2mT7rB4nK9sW1zY6cF3hJ5dL0pGe"
ROOT = Path(__file__).parents[2]
Invoke = Callable[..., Any]  # a result with exit_code, stdout, stderr


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory and an environment without our variables."""
    for name in [name for name in os.environ if name.startswith("DISPATCHER_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def invoke(here: Path) -> Invoke:
    """Run a command in this process: `invoke("config", "check", DISPATCHER_ENV="x")`."""

    def run(*arguments: str, **environ: str) -> Any:
        return CliRunner().invoke(app, arguments, env=environ)

    return run


class Program:
    """`dispatcher ...` as a process; its standard output and errors in one stream."""

    def __init__(self, directory: Path, *arguments: str, **environ: str) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("DISPATCHER_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "dispatcher", *arguments],
            cwd=directory,
            env={**clean, "PYTHONPATH": str(ROOT), **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        self.out = self.process.stdout
        self.seen = ""

    def until(self, pattern: str) -> "re.Match[str]":
        """Read lines until one matches; fails with all that was said when the program ends first."""
        for line in self.out:
            self.seen += line
            if found := re.search(pattern, line):
                return found
        raise AssertionError(f"no {pattern!r} in:\n{self.seen}")

    def stop(self, signal: int) -> int:
        """Send a signal to the whole process group, as a terminal does; answers the exit code."""
        os.killpg(self.process.pid, signal)
        code = self.process.wait(15)
        self.seen += self.out.read()
        return code

    def end(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, 9)
        self.process.wait()
        self.out.close()


@pytest.fixture
def start(here: Path) -> Iterator[Callable[..., Program]]:
    """Start the program in the working directory; whatever still runs is ended after the test."""
    running: list[Program] = []

    def run(*arguments: str, **environ: Any) -> Program:
        running.append(Program(here, *arguments, **environ))
        return running[-1]

    yield run
    for program in running:
        program.end()
