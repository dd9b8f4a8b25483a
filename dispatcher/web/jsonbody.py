"""A strict JSON reader (RFC 8259, and the I-JSON profile of RFC 7493 where that is stricter).

UTF-8 without a byte order mark, one object (or array) at the top, no duplicate names, no NaN or Infinity, no number
beyond a double, no lone surrogate, at most 32 levels deep. Whatever is wrong raises `Invalid`; nothing here can fail
otherwise.
The text of every top-level member is kept as it came, so a payload is passed on byte for byte.
"""

import json
import math
import re
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import Headers
from starlette.types import Scope

from dispatcher.domain.errors import Invalid, UnsupportedMedia

MAX_DEPTH = 32
MAX_DIGITS = 4300  # of one integer; Python's own bound, where conversion stays cheap
_SPACE = " \t\n\r"
# An unclosed string runs to the end of the text, which keeps the scan linear.
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]+|\\.)*"?|[\[\]{}]', re.DOTALL)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


@dataclass(frozen=True, slots=True)
class JsonObject:
    """A decoded object: `members` by name, and `raw_members`, their text as it came, in UTF-8."""

    members: dict[str, Any]
    raw_members: dict[str, bytes]
    raw: bytes


def require_json(scope: Scope) -> None:
    """Raises UnsupportedMedia unless the request says `application/json`, in UTF-8 if it names a charset."""
    given = Headers(scope=scope).getlist("content-type")
    media, _, rest = given[0].partition(";") if len(given) == 1 else ("", "", "")
    parameters = [p.strip().lower().replace('"', "") for p in rest.split(";") if p.strip()]
    charset_ok = all(p in ("charset=utf-8", "charset=utf8") for p in parameters if p.startswith("charset="))
    if media.strip().lower() != "application/json" or not charset_ok:
        raise UnsupportedMedia("The body must be application/json in UTF-8")


def parse_object(raw: bytes) -> JsonObject:
    """Decode one JSON object. Raises Invalid."""
    text = _text(raw)
    try:
        members, spans = _read_members(text)
    except (ValueError, IndexError):
        raise Invalid("The body is not valid JSON") from None
    if _SURROGATE.search(text):
        _check_surrogates(members)
    return JsonObject(members, {name: text[a:b].encode() for name, (a, b) in spans.items()}, raw)


def parse_array(raw: bytes) -> list[Any]:
    """Decode one JSON array. Raises Invalid."""
    text = _text(raw)
    start = _skip(text, 0)
    try:
        value, at = _DECODER.raw_decode(text, start)
    except ValueError:
        raise Invalid("The body is not valid JSON") from None
    if _skip(text, at) != len(text):
        raise Invalid("The body is not valid JSON")
    if not isinstance(value, list):
        raise Invalid("The body must be a JSON array")
    if _SURROGATE.search(text):
        _check_surrogates(value)
    return value


def _text(raw: bytes) -> str:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Invalid("The body is not valid UTF-8") from None
    if text.startswith("\ufeff"):
        raise Invalid("The body must not start with a byte order mark")
    if not text.strip(_SPACE):
        raise Invalid("The body is empty")
    _check_depth(text)
    return text


def _check_depth(text: str) -> None:
    depth = 0
    for found in _STRING_OR_BRACKET.finditer(text):
        mark = text[found.start()]
        if mark in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise Invalid(f"The body is nested deeper than {MAX_DEPTH} levels")
        elif mark in "]}":
            depth -= 1


def _check_surrogates(members: Any) -> None:
    try:
        json.dumps(members, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise Invalid("The body holds a lone surrogate") from None


def _read_members(text: str) -> tuple[dict[str, Any], dict[str, tuple[int, int]]]:
    """The members of the top-level object and where the text of each stands. ValueError, IndexError: no JSON."""
    at = _skip(text, 0)
    if text[at] != "{":
        raise Invalid("The body must be a JSON object")
    members: dict[str, Any] = {}
    spans: dict[str, tuple[int, int]] = {}
    at = _skip(text, at + 1)
    while text[at] != "}":
        if members:
            at = _skip(text, _expect(text, at, ","))
        if text[at] != '"':
            raise ValueError("a name is due")
        name, at = _DECODER.raw_decode(text, at)
        start = _skip(text, _expect(text, _skip(text, at), ":"))
        value, at = _DECODER.raw_decode(text, start)
        if name in members:
            raise Invalid("The body holds a duplicate name")
        members[name] = value
        spans[name] = (start, at)
        at = _skip(text, at)
    if _skip(text, at + 1) != len(text):
        raise ValueError("trailing text")
    return members, spans


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


def _expect(text: str, at: int, mark: str) -> int:
    if text[at] != mark:
        raise ValueError(f"{mark} is due")
    return at + 1


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Invalid("The body holds a duplicate name")
    return found


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise Invalid(f"The body holds a number of more than {MAX_DIGITS} digits")
    return int(digits)


def _double(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise Invalid("The body holds a number that is out of range")
    return value


def _constant(name: str) -> Any:
    raise Invalid(f"The body holds {name}, which is not JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_int=_integer, parse_float=_double, parse_constant=_constant, strict=True
)
