"""What stores are asked with: rate rules, keys, pages."""

from dataclasses import dataclass

from dispatcher.domain.principal import Owner
from dispatcher.domain.transitions import TaskState


@dataclass(frozen=True, slots=True)
class RateRule:
    """At most `limit` calls per fixed minute, counted under (`name`, `key`) over all gateways. 0 = unlimited."""

    name: str
    key: str
    limit: int


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
