"""JSON as strict as RFC 8259: the standard library alone would let through what later breaks others."""

import json
from typing import Any, NoReturn

MAX_DEPTH = 100


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")


def read_json(raw: bytes) -> Any:
    """Parse UTF-8 JSON. Raises ValueError: another encoding, a byte order mark, NaN or Infinity, nesting deeper than
    100, a number of thousands of digits. (A float too large to hold reads as infinity: `digest_value` refuses it.)
    """
    try:
        value = json.loads(raw.decode("utf-8"), parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    _check_depth(value)
    return value


def _check_depth(value: Any) -> None:
    """Level by level, so that a flat array of a million numbers costs one pass and a nested one no recursion."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent if isinstance(parent, list) else ())
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise ValueError("nested too deeply")
