"""Commands, flags, settings, variables, codes and paths that a page names exist."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer.main

from dispatcher.cli.commands import app
from dispatcher.domain import failure
from dispatcher.domain.errors import DispatchError
from dispatcher.settings import Settings
from dispatcher.settings.environment import OTHERS, known_variables
from tests.docs.pages import PAGES, name, prose, text

MAKE = set(re.findall(r"^([a-z-]+):", text("Makefile"), re.MULTILINE))


def _leaf(words: list[str]) -> Any:
    """The command that these words begin with, or None."""
    command: Any = typer.main.get_command(app)
    for word in words:
        if not hasattr(command, "commands"):
            break
        command = command.commands.get(word)
        if command is None:
            return None
    return command


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_and_their_flags(page: Path) -> None:
    for line in re.findall(r"(?:^|\$\(|`|bin/)dispatcher ([a-z][^`\n)|]*)", text(page), re.MULTILINE):
        words = line.split()
        command = _leaf([word for word in words if not word.startswith("-")])
        assert command is not None, line
        if not hasattr(command, "params"):
            continue
        known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        for flag in (word for word in words if word.startswith("--")):
            assert flag in known, line


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_variables(page: Path) -> None:
    for variable in re.findall(r"\bDISPATCHER_\w+", text(page)):
        assert variable.endswith("_") or variable in OTHERS or variable in known_variables(), variable


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_settings(page: Path) -> None:
    """`[section] key` in backticks."""
    for section, keys in re.findall(r"`\[\[?(\w+)\]?\] ([\w, +]+?)(?: = [^`]*)?`", text(page)):
        model: Any = Settings.model_fields[section].annotation
        model = getattr(model, "__args__", [model])[0]
        for key in re.findall(r"\w+", keys):
            assert key in model.model_fields, f"[{section}] {key}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_targets_of_make(page: Path) -> None:
    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", text(page), re.MULTILINE)) <= MAKE


def test_codes() -> None:
    """Words like `STALE_ATTEMPT` in the first column of a table, or alone in backticks on the page of troubles."""
    codes = {error.code for error in _subclasses(DispatchError)}
    codes |= {value for key, value in vars(failure).items() if key.isupper() and isinstance(value, str)}
    for page in ("docs/reference/errors.md", "docs/how-to/troubleshoot.md"):
        for row in re.findall(r"^\| (`[A-Z_`, ]+`) \|", prose(page), re.MULTILINE):
            assert set(re.findall(r"[A-Z_]+", row)) <= codes | {"COMPLETED", "FAILED", "CANCELLED"}, row


def _subclasses(kind: type[DispatchError]) -> set[type[DispatchError]]:
    return {kind}.union(*(_subclasses(one) for one in kind.__subclasses__()))
