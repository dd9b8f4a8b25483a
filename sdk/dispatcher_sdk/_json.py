"""JSON as the API wants it: compact UTF-8, no NaN, and the values that model code hands out made plain."""

import json
from collections.abc import Mapping
from typing import Any


def dumps(value: Any) -> bytes:
    """Encode `value`; pydantic models and numpy-like arrays and scalars are converted.

    Raises TypeError for a value without a JSON form and ValueError for NaN, infinity, a circular reference or a
    string that is no valid Unicode.
    """
    return json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"), default=_plain).encode()


def loads(text: bytes) -> Any:
    """Decode JSON; NaN and Infinity, which Python's reader accepts, and too deep nesting are ValueErrors as well."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("the JSON text is nested too deeply") from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", by_alias=True)
    if hasattr(value, "tolist"):  # numpy arrays and scalars, without importing numpy
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no JSON form")
