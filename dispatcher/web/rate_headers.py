"""Where a caller stands within its limit, as headers."""

from dispatcher.domain.errors import RateState


def rate_headers(state: RateState | None) -> dict[str, str]:
    """The three documented headers; `X-RateLimit-Reset` is the end of the minute in epoch seconds, rounded up.

    Empty when nothing was counted (limits off, public operations).
    """
    if state is None:
        return {}
    return {
        "X-RateLimit-Limit": str(state.limit),
        "X-RateLimit-Remaining": str(max(0, state.remaining)),
        "X-RateLimit-Reset": str(-(-state.reset_ms // 1000)),
    }
