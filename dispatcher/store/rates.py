"""Rate counts in replies."""

from dispatcher.domain.errors import RateLimited, RateState
from dispatcher.service.ports import RateRule
from dispatcher.store.runner import Reply


def rate_state(rule: RateRule, count: int, reset_ms: int) -> RateState | None:
    """Where the caller stands; None when nothing was counted."""
    if rule.limit <= 0 or not reset_ms:
        return None
    return RateState(rule.limit, max(rule.limit - count, 0), reset_ms)


def limited(reply: Reply, rule: RateRule) -> RateLimited:
    """The error for a `limited count reset` reply."""
    reset = reply.number(1)
    wait_s = max(1, -(-(reset - reply.now_ms) // 1000))
    state = RateState(rule.limit, 0, reset)
    return RateLimited(f"At most {rule.limit} requests per {rule.window}; try again in {wait_s} s", state, wait_s)
