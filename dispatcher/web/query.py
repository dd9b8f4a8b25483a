"""Query parameters, checked."""

import datetime as dt
import re

from starlette.datastructures import QueryParams

from dispatcher.domain.clock import Clock
from dispatcher.domain.errors import Invalid

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def filled(query: QueryParams) -> QueryParams:
    """The parameters that say something: an empty one is a field of a form that was left blank."""
    return QueryParams([(name, value) for name, value in query.multi_items() if value])


def one(query: QueryParams, name: str) -> str | None:
    """The value of a parameter that may stand once. Raises Invalid."""
    given = query.getlist(name)
    if len(given) > 1:
        raise Invalid(f"Invalid parameter {name}: given more than once", field=name)
    return given[0] if given else None


def whole(query: QueryParams, name: str, *, default: int, least: int, most: int, capped: bool = False) -> int:
    """A whole number within bounds; what is above counts as `most` where that is so (`capped`). Raises Invalid."""
    text = one(query, name)
    if text is None:
        return default
    value = int(text) if re.fullmatch(r"[0-9]{1,15}", text) else -1
    if capped:
        value = min(value, most)
    if not least <= value <= most:
        raise Invalid(f"Invalid parameter {name}: must be a whole number from {least} to {most}", field=name)
    return value


def choice(query: QueryParams, name: str, allowed: tuple[str, ...]) -> str | None:
    """One of the allowed words. Raises Invalid."""
    text = one(query, name)
    if text is not None and text not in allowed:
        raise Invalid(f"Invalid parameter {name}: must be one of {', '.join(allowed)}", field=name)
    return text


def day(query: QueryParams, clock: Clock) -> str:
    """`date` as YYYY-MM-DD, today (UTC) when it is not given. Raises Invalid."""
    text = one(query, "date")
    if text is None:
        return dt.datetime.fromtimestamp(clock.now_ms() / 1000, dt.UTC).date().isoformat()
    try:
        if _DATE.fullmatch(text) is None:
            raise ValueError
        return dt.date.fromisoformat(text).isoformat()
    except ValueError:
        raise Invalid("Invalid parameter date: must be a day as YYYY-MM-DD", field="date") from None
