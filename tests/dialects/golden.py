"""Documented examples, and how an answer is held against one: it must have every documented member with its type; and
also the value where an example says so."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:]{8}Z)?")
_EPOCH_MS = 1_600_000_000_000
_EPOCH_S = range(1_690_000_000, 2_000_000_000)


def load_golden(folder: Path) -> dict[str, Any]:
    """The examples of a folder by their names."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}


def fill(node: Any, known: dict[str, str]) -> Any:
    """An example with its placeholders replaced."""
    text = json.dumps(node)
    for placeholder, value in known.items():
        text = text.replace(placeholder, value)
    return json.loads(text)


def same_shape(documented: Any, given: Any, path: str) -> None:
    if isinstance(documented, dict):
        assert isinstance(given, dict), path
        for name, value in documented.items():
            assert name in given, f"{path}.{name} is missing"
            if given[name] is not None:
                same_shape(value, given[name], f"{path}.{name}")
    elif isinstance(documented, list):
        assert isinstance(given, list), path
        for one in given[: len(documented)]:
            same_shape(documented[0], one, f"{path}.0")
    elif isinstance(documented, float):
        assert isinstance(given, int | float), path
    else:
        assert type(given) is type(documented), path


def at(node: Any, path: str) -> Any:
    """The member that a dotted path leads to; the whole for an empty one."""
    for key in path.split(".") if path else []:
        node = node[int(key)] if isinstance(node, list) else node[key]
    return node


def check(golden: Any, documented: Any, given: Any, look: Callable[[Any], Any] = lambda node: node) -> None:
    """`documented` is the answer of the example, filled in; `look` what of two values must be the same."""
    same_shape(documented, given, "")
    for path in golden["exact"]:
        assert look(at(given, path)) == look(at(documented, path)), path


def timeless(node: Any) -> Any:
    """Without what depends on the hour: times are only known by their form."""
    if isinstance(node, dict):
        return {name: timeless(value) for name, value in node.items()}
    if isinstance(node, list):
        return [timeless(value) for value in node]
    if isinstance(node, str) and _TIME.fullmatch(node):
        return len(node)
    if isinstance(node, int) and node in _EPOCH_S:
        return "epoch s"
    return "epoch ms" if isinstance(node, int) and node > _EPOCH_MS else node
