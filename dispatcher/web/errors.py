"""The one table from domain errors to HTTP status and WebSocket close code, and the headers an error brings."""

from collections.abc import Mapping

from dispatcher.domain import errors as e
from dispatcher.web.rate_headers import rate_headers

# HTTP status, close code (RFC 6455 section 7.4; 4xxx are our own)
_TABLE: Mapping[type[e.DispatchError], tuple[int, int]] = {
    e.DispatchError: (500, 1011),
    e.Invalid: (400, 4400),
    e.Unauthorized: (401, 4401),
    e.Forbidden: (403, 4403),
    e.NotFound: (404, 4404),
    e.IllegalState: (400, 4400),  # the native API document knows no 409 for client calls
    e.MethodNotAllowed: (405, 4405),
    e.TooSlow: (408, 4408),
    e.Overrun: (408, 1013),
    e.Conflict: (409, 4409),
    e.TooLarge: (413, 1009),
    e.UnsupportedMedia: (415, 1003),
    e.OutOfRange: (416, 4416),
    e.KeyReused: (422, 4422),
    e.UpgradeRequired: (426, 4426),
    e.RateLimited: (429, 1008),
    e.QuotaExceeded: (429, 1008),
    e.Unavailable: (503, 1013),
}


def internal_error() -> e.DispatchError:
    """What a caller is told of a fault of ours; the log has the rest."""
    return e.DispatchError("An unexpected error occurred")


def _entry(kind: type[e.DispatchError]) -> tuple[int, int]:
    return next(_TABLE[base] for base in kind.__mro__ if base in _TABLE)


def status_of(error: e.DispatchError | type[e.DispatchError]) -> int:
    """The HTTP status of an error; subclasses inherit."""
    return _entry(error if isinstance(error, type) else type(error))[0]


def close_code_of(error: e.DispatchError) -> int:
    """The WebSocket close code of an error that ends the connection."""
    return _entry(type(error))[1]


def error_headers(error: e.DispatchError) -> dict[str, str]:
    """The headers that go with an error: Retry-After, Allow, Upgrade, WWW-Authenticate, rate limit, size of a file."""
    match error:
        case e.RateLimited():
            return {**rate_headers(error.state), "Retry-After": str(max(1, error.retry_after_s))}
        case e.QuotaExceeded() | e.Unavailable():
            return {"Retry-After": str(max(1, error.retry_after_s))}
        case e.MethodNotAllowed():
            return {"Allow": ", ".join(error.allow)}
        case e.OutOfRange():
            return {"Content-Range": f"bytes */{error.size}"}
        case e.UpgradeRequired():
            return {"Upgrade": "websocket", "Connection": "Upgrade"}  # RFC 9110 section 7.8: both
        case e.Unauthorized():
            return {"WWW-Authenticate": 'Bearer realm="dispatcher"'}
        case _:
            return {}
