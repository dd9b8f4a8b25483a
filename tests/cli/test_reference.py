"""The page on the commands tells of every command and every flag, and of no other."""

import re
from collections.abc import Iterator
from typing import Any

import typer.main

from dispatcher.cli.commands import app
from tests.support.program import ROOT

PAGE = (ROOT / "docs/reference/cli.md").read_text()


def _commands(group: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}", command


COMMANDS = dict(_commands(typer.main.get_command(app), "dispatcher"))


def test_every_command_has_its_section() -> None:
    assert re.findall(r"^## `(.+)`$", PAGE, re.MULTILINE) == list(COMMANDS)


def test_every_flag_is_told_with_its_default() -> None:
    for name, section in re.findall(r"^## `(.+?)`$(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL):
        for parameter in COMMANDS[name].params:
            flag = parameter.opts[0]
            if name.startswith("dispatcher config") and flag in ("--config", "--env"):
                assert f"`{flag}`" in section
                continue
            row = re.search(rf"^\| `{flag}` \| (.*?) \|", section, re.MULTILINE)
            assert row is not None, f"{name} {flag}"
            if parameter.default not in (None, False) and not parameter.required:
                assert row[1] == f"`{parameter.default}`"
            assert (row[1] == "required") == parameter.required


def test_no_flag_is_made_up() -> None:
    known = {option for command in COMMANDS.values() for parameter in command.params for option in parameter.opts}
    assert set(re.findall(r"`(--[a-z-]+)`", PAGE)) <= known
