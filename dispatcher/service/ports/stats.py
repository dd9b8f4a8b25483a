"""Figures of tasks and servers."""

from collections.abc import Sequence
from typing import Protocol

from dispatcher.domain.principal import Owner
from dispatcher.domain.stats import Counts, DayStats
from dispatcher.domain.transitions import TaskState


class StatsStore(Protocol):
    async def day(self, origin: str, owner: Owner | None, date: str) -> DayStats: ...

    async def waiting(self, origin: str, owner: Owner | None, date: str | None) -> dict[TaskState, int]:
        """How many tasks are in each live state now; with a date, of those created on that day."""
        ...

    async def standing(
        self, origin: str, owner: Owner | None, facets: Sequence[str] = ("",)
    ) -> dict[str, dict[TaskState, int]]:
        """How many tasks that are kept stand in each state now: by facet, "" for all of them."""
        ...

    async def totals(self, origin: str, owner: Owner | None) -> Counts:
        """Since ever. created + reopened - ended = live, at any instant."""
        ...

    async def server_day(self, server_id: str, date: str) -> tuple[DayStats, float]:
        """One server's day, and the share of its minutes (since registration or midnight) with a sign of life."""
        ...

    async def server_totals(self, server_id: str) -> Counts: ...

    async def busiest(self, date: str, limit: int) -> list[str]:
        """The servers on which most tasks completed or failed that day, most first; ties by id, last first."""
        ...

    async def servers_day(self, date: str, server_ids: Sequence[str]) -> dict[str, Counts]:
        """That day's counts per server (`none` may be among the ids), in one round trip."""
        ...
