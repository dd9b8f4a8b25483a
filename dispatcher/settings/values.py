"""Kinds of values that people write with a unit."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer

_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_BYTES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def _with_unit(text: Any, units: dict[str, int], example: str) -> int:
    # A bare number is refused on purpose: nobody should have to guess its unit.
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]+)", text.strip()) if isinstance(text, str) else None
    if found is None or found[2] not in units:
        raise ValueError(f'wants a number and one of {", ".join(units)}, like "{example}"')
    return round(float(found[1]) * units[found[2]])


def parse_duration(text: Any) -> int:
    """Milliseconds of a text like "250ms", "15s", "5m", "24h", "7d". Raises ValueError."""
    return _with_unit(text, _MS, "15s")


def parse_size(text: Any) -> int:
    """Bytes of a text like "64KiB" or "1MiB". Raises ValueError."""
    return _with_unit(text, _BYTES, "1MiB")


def _in_units(amount: int, units: dict[str, int]) -> str:
    unit, factor = max((one for one in units.items() if amount % one[1] == 0), key=lambda one: one[1])
    return f"{amount // factor}{unit}"


def _format_duration(ms: int) -> str:
    return _in_units(ms, _MS) if ms else "0s"


def _format_size(size: int) -> str:
    return _in_units(size, _BYTES)


# an int in the program; in JSON, and so in `config show`, a text as in the file
Duration = Annotated[int, BeforeValidator(parse_duration), PlainSerializer(_format_duration, when_used="json")]
Size = Annotated[int, BeforeValidator(parse_size), PlainSerializer(_format_size, when_used="json")]


@dataclass(frozen=True, slots=True)
class Range:
    """What a key may be, ends included, as people write it: "2s", "1h"."""

    least: str
    most: str
    parse: Callable[[Any], int]
    whole: str = ""  # the unit that it must be a whole number of

    def __call__(self, value: int) -> int:
        if not self.parse(self.least) <= value <= self.parse(self.most):
            raise ValueError(f"must be {self}")
        if self.whole and value % self.parse(f"1{self.whole}"):
            raise ValueError(f"must be in whole {self.whole}")
        return value

    def __str__(self) -> str:
        return f"{self.least} to {self.most}"


def lasting(least: str, most: str, whole: str = "") -> AfterValidator:
    """The range of a Duration."""
    return AfterValidator(Range(least, most, parse_duration, whole))


def sized(least: str, most: str) -> AfterValidator:
    """The range of a Size."""
    return AfterValidator(Range(least, most, parse_size))


def range_of(metadata: list[Any]) -> Range | None:
    """The range among what a field's type is annotated with."""
    functions = (one.func for one in metadata if isinstance(one, AfterValidator))
    return next((function for function in functions if isinstance(function, Range)), None)


def setting(default: Any, comment: str, **constraints: Any) -> Any:
    """A key of the configuration: its default as it is written in the file, and one line of comment."""
    return Field(default, description=comment, validate_default=True, **constraints)
