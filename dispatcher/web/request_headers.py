"""Request headers that change how a call is answered."""

import re
from dataclasses import dataclass

from starlette.datastructures import Headers

from dispatcher.domain.errors import Invalid

_KEY = re.compile(r"[\x20-\x7e]{1,255}")
_TRACE = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_ATTEMPT = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Preferences:
    """`Prefer` (RFC 7240): `respond-async` and `wait=n` (seconds). What is malformed or unknown is ignored, as the RFC
    demands."""

    respond_async: bool = False
    wait_s: int | None = None


def preferences(headers: Headers) -> Preferences:
    found: dict[str, str] = {}
    for item in ",".join(headers.getlist("prefer")).split(","):
        name, _, value = item.partition(";")[0].partition("=")
        found.setdefault(name.strip().lower(), value.strip().strip('"'))  # the first one counts
    wait = found.get("wait", "")
    return Preferences(
        respond_async=found.get("respond-async") == "",
        wait_s=int(wait) if re.fullmatch(r"[0-9]{1,6}", wait) else None,
    )


def idempotency_key(headers: Headers) -> str | None:
    """The one `Idempotency-Key`: 1..255 printable ASCII characters. Raises Invalid."""
    given = headers.getlist("idempotency-key")
    if not given:
        return None
    if len(given) > 1 or _KEY.fullmatch(given[0]) is None:
        raise Invalid("Idempotency-Key must be 1 to 255 printable characters", field="Idempotency-Key")
    return given[0]


def attempt_number(headers: Headers) -> int | None:
    """The one `X-Attempt`: the number of the attempt a worker speaks of. Raises Invalid."""
    given = headers.getlist("x-attempt")
    if not given:
        return None
    if len(given) > 1 or _ATTEMPT.fullmatch(given[0]) is None:
        raise Invalid("X-Attempt must be the number of an attempt", field="X-Attempt")
    return int(given[0])


def traceparent(headers: Headers) -> str | None:
    """The caller's trace context (W3C Trace Context), None when it is not in the form of version 00."""
    given = headers.getlist("traceparent")
    return given[0] if len(given) == 1 and _TRACE.fullmatch(given[0]) else None
