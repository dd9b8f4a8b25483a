"""The failure table: what the answer of a server, or the lack of one, means for the attempt.

200 + JSON                          COMPLETED; the body is the result, as it came
202                                 accepted; the result comes by a report
409, 429, 503                       BUSY for Retry-After seconds
400, 413, 415, 422                  FAILED: the task's fault, the server is not blamed
any other 3xx or 4xx                FAILURE: the server's (a rotated key must not fail every task)
5xx                                 FAILURE
any other 2xx, no JSON              FAILURE, unparsable
200, but too large                  FAILED: it would be too large again
refused, DNS, TLS, URL policy       NOT_SENT
broken after sending                LOST; the server may still work, so its slot stays
no answer in time                   TIMED_OUT; likewise
"""

from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

from dispatcher.domain.digest import digest_value
from dispatcher.domain.failure import (
    BACKEND_ERROR,
    BACKEND_LOST,
    BACKEND_UNREACHABLE,
    BAD_ANSWER,
    REJECTED,
    RESULT_TOO_LARGE,
    TIMEOUT,
    Accepted,
    Outcome,
    Verdict,
)
from dispatcher.forward.strict_json import read_json
from dispatcher.forward.transport import CallFailed, NotSent, Reply, TimedOut, TooLarge

MAX_REST_MS = 60_000
MAX_DETAIL_CHARS = 200

_BUSY = frozenset({409, 429, 503})
_REJECTED = frozenset({400, 413, 415, 422})


def judge(reply: Reply, *, now_ms: int, service_ms: int) -> Outcome | Accepted:
    """The table for a whole answer. `now_ms` (epoch) is for a Retry-After that names a date."""
    status = reply.status
    if status == 200:
        return _result(reply.body, service_ms)
    if status == 202:
        return Accepted()
    if status in _BUSY:
        rest = retry_after_ms(reply.headers, now_ms)
        return Outcome(Verdict.BUSY, text=f"the server is busy ({status})", rest_ms=rest, service_ms=service_ms)
    if status in _REJECTED:
        text = f"the server rejected the task ({status})" + _detail(reply.body)
        return Outcome(Verdict.FAILED, code=REJECTED, text=text, service_ms=service_ms)
    if status >= 500:
        text = f"the server failed ({status})" + _detail(reply.body)
        return Outcome(Verdict.FAILURE, code=BACKEND_ERROR, text=text, service_ms=service_ms)
    if status >= 300:
        text = f"the server answered {status}"
        return Outcome(Verdict.FAILURE, code=BACKEND_ERROR, text=text, service_ms=service_ms)
    return Outcome(
        Verdict.FAILURE, code=BAD_ANSWER, text=f"the server answered {status}, not 200", service_ms=service_ms
    )


def judge_failure(failure: CallFailed, *, now_ms: int, service_ms: int) -> Outcome | Accepted:
    """The table for a call without a whole answer."""
    if isinstance(failure, TooLarge):
        if failure.status != 200:
            return judge(Reply(failure.status, failure.headers, b""), now_ms=now_ms, service_ms=service_ms)
        return Outcome(Verdict.FAILED, code=RESULT_TOO_LARGE, text="the result is too large", service_ms=service_ms)
    if isinstance(failure, NotSent):
        return Outcome(Verdict.NOT_SENT, code=BACKEND_UNREACHABLE, text=str(failure))
    if isinstance(failure, TimedOut):
        return Outcome(Verdict.TIMED_OUT, code=TIMEOUT, text="the server did not answer in time", slot_free=False)
    return Outcome(Verdict.LOST, code=BACKEND_LOST, text="the connection to the server broke", slot_free=False)


def _result(body: bytes, service_ms: int) -> Outcome:
    try:
        digest = digest_value(read_json(body))
    except ValueError:
        return Outcome(
            Verdict.FAILURE, code=BAD_ANSWER, text="the server's answer is no valid JSON", service_ms=service_ms
        )
    return Outcome(Verdict.COMPLETED, result=body, digest=digest, service_ms=service_ms)


def _detail(body: bytes) -> str:
    """The server's own `error` text, for the task's owner: short, and without characters that could forge a log."""
    try:
        answer = read_json(body)
    except ValueError:
        return ""
    error = answer.get("error") if isinstance(answer, dict) else None
    if not isinstance(error, str):
        return ""
    clean = "".join(c if c.isprintable() else " " for c in error[: MAX_DETAIL_CHARS * 4])
    clean = " ".join(clean.split())[:MAX_DETAIL_CHARS]
    return f": {clean}" if clean else ""


def retry_after_ms(headers: Mapping[str, str], now_ms: int) -> int:
    """Retry-After (RFC 9110, 10.2.3) in milliseconds, 0..60,000; 0 when absent or not understood."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return min(int(value[:9]), MAX_REST_MS // 1000) * 1000
    try:
        when = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return 0
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0, min(int(when.timestamp() * 1000) - now_ms, MAX_REST_MS))
