"""The page on workers behind NAT shows commands and programs that exist."""

import re
import shlex
from typing import Any

import typer.main

from dispatcher.cli.commands import app
from tests.support.program import ROOT

PAGE = (ROOT / "docs/how-to/workers-behind-nat.md").read_text("utf-8")


def test_its_executor_commands_are_understood() -> None:
    group: Any = typer.main.get_command(app)
    lines = re.findall(r"dispatcher executor (--.*)$", PAGE, re.MULTILINE)
    assert len(lines) == 2
    for line in lines:
        command = group.commands["executor"]
        context = command.make_context("executor", shlex.split(line), resilient_parsing=False)
        assert context.params["url"] == "https://gateway.example.com/jobs/api/v1"


def test_its_program_is_python() -> None:
    programs = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert len(programs) == 1
    assert 'transport="pull"' in programs[0]
    compile(programs[0], "workers-behind-nat.md", "exec")
