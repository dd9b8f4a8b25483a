"""Hourly counts per origin, per owner and per server, and the limits on calls."""

import math
from collections import defaultdict
from collections.abc import Sequence

from dispatcher.domain.errors import RateLimited, RateState, tightest
from dispatcher.domain.stats import NO_SERVER, Counts
from dispatcher.service.ports import RateRule
from dispatcher.store.memory.task_rows import TaskRow

HOUR_MS = 3_600_000
MINUTE_MS = 60_000

Scope = tuple[str, ...]


def owner_scope(origin: str, tenant: str, sub: str) -> Scope:
    return ("owner", origin, tenant, sub)


def origin_scope(origin: str) -> Scope:
    return ("origin", origin)


def server_scope(server_id: str | None) -> Scope:
    return ("server", server_id or NO_SERVER)


class Counters:
    def __init__(self) -> None:
        self.hours: dict[tuple[Scope, int], Counts] = defaultdict(Counts)
        self.minutes: dict[tuple[str, int], Counts] = defaultdict(Counts)  # origin, minute
        self.totals: dict[Scope, Counts] = defaultdict(Counts)
        self.alive: dict[str, set[int]] = defaultdict(set)  # server -> minutes with a sign of life
        self._calls: dict[tuple[str, str, int], int] = defaultdict(int)

    def count(self, row: TaskRow, now_ms: int, what: Counts, server_id: str | None = None, *, end: bool) -> None:
        """Add `what` to the buckets of the task; ends and failed attempts also count for a server (or for none)."""
        owner = row.new.owner
        scopes = [origin_scope(row.new.origin), owner_scope(row.new.origin, owner.tenant, owner.sub)]
        if end:
            scopes.append(server_scope(server_id))
        self.minutes[row.new.origin, now_ms // MINUTE_MS] += what
        for scope in scopes:
            self.hours[scope, now_ms // HOUR_MS] += what
            self.totals[scope] += what

    def limit(self, rules: Sequence[RateRule], now_ms: int) -> RateState:
        """Count one call under all of them, or under none. Raises RateLimited."""
        used_up = [
            rule for rule in rules
            if rule.limit and self._calls[rule.name, rule.key, now_ms // rule.window_ms] >= rule.limit
        ]  # fmt: skip
        if used_up:  # the one that holds longest refuses it
            return self.rate(max(used_up, key=lambda rule: (now_ms // rule.window_ms + 1) * rule.window_ms), now_ms)
        return tightest(self.rate(rule, now_ms) for rule in rules)

    def rate(self, rule: RateRule, now_ms: int, *, count: bool = True) -> RateState:
        """Count one call in the current fixed window. Raises RateLimited."""
        window = now_ms // rule.window_ms
        reset_ms = (window + 1) * rule.window_ms
        key = (rule.name, rule.key, window)
        if count:
            self._calls[key] += 1
        calls = self._calls[key]
        state = RateState(rule.limit, max(0, rule.limit - calls), reset_ms)
        if rule.limit and count and calls > rule.limit:
            raise RateLimited("too many requests", state, math.ceil((reset_ms - now_ms) / 1000))
        return state


class RetryBudget:
    """A token bucket that keeps retries a share of the load; full at first."""

    def __init__(self, share: float, per_s: float, cap: float, now_ms: int) -> None:
        self._share, self._per_s, self._cap = share, per_s, cap
        self._tokens, self._at_ms = cap, now_ms

    def earn(self, now_ms: int) -> None:
        """A first attempt starts."""
        self._refill(now_ms)
        self._tokens = min(self._cap, self._tokens + self._share)

    def take(self, now_ms: int) -> bool:
        self._refill(now_ms)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _refill(self, now_ms: int) -> None:
        self._tokens = min(self._cap, self._tokens + self._per_s * (now_ms - self._at_ms) / 1000)
        self._at_ms = now_ms
