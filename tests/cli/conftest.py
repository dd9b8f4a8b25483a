"""The `dispatcher` program in a directory of its own, in this process or in one of its own."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dispatcher.cli.commands import app
from tests.support.program import Program

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
