"""Counting calls, and rate counts in replies."""

from dispatcher.domain.errors import RateLimited, RateState, tightest
from dispatcher.service.ports import RateRule
from dispatcher.store.runner import Reply, Runner


async def count(run: Runner, *rules: RateRule) -> RateState:
    """As `Coordination.limit`."""
    told = [(rule.name, rule.key, str(rule.limit), str(rule.window_ms)) for rule in rules]
    reply = await run.call("limit", *(part for rule in told for part in rule))
    if reply.tag == "limited":
        raise limited(reply, rules[reply.number(0)])
    counts = [int(value) for value in reply.values[0]]
    return tightest(
        rate_state(rule, calls, reset) or RateState(0, 0, reset)
        for rule, calls, reset in zip(rules, counts[::2], counts[1::2], strict=True)
    )


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
