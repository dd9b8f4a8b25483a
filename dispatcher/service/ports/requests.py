"""What stores are asked with: rate rules, keys, pages."""

from dataclasses import dataclass

from dispatcher.domain.principal import Owner
from dispatcher.domain.transitions import TaskState

MINUTE_MS, HOUR_MS = 60_000, 3_600_000


@dataclass(frozen=True, slots=True)
class RateRule:
    """At most `limit` calls per fixed window, counted under (`name`, `key`) over all gateways. 0 = unlimited.

    The window is a minute, or an hour where a call is counted by `Coordination.limit`.
    """

    name: str
    key: str
    limit: int
    window_ms: int = MINUTE_MS

    @property
    def window(self) -> str:
        return "minute" if self.window_ms == MINUTE_MS else "hour"


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A caller's key for a create; `digest` is that of its body. Counted per owner, kept `ttl_ms`."""

    key: str
    digest: str
    ttl_ms: int = 86_400_000


@dataclass(frozen=True, slots=True)
class TaskQuery:
    """Which tasks to list. Without `owner` those of everybody (admins). Newest first."""

    origin: str
    owner: Owner | None
    states: tuple[TaskState, ...] = ()  # empty = all
    offset: int = 0
    limit: int = 100
    facets: tuple[str, ...] = ()  # any of these; empty = all
