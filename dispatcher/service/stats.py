"""Figures of a day: of one client, of an origin, of a server."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from dispatcher.domain.clock import Clock, SystemClock
from dispatcher.domain.principal import Owner, Principal, Role
from dispatcher.domain.stats import NO_SERVER, Counts, DayStats
from dispatcher.domain.transitions import TaskState
from dispatcher.service.ports import ServerStore, StatsStore

TOP_SERVERS = 5


@dataclass(frozen=True, slots=True)
class DaySummary:
    """`waiting` counts live tasks by state: all of them for today, those created that day for a past day. `top` are
    the servers with most ends that day, `none` are the ends that no server had. Both are the fleet's."""

    day: DayStats
    waiting: dict[TaskState, int]
    server_count: int
    top: list[tuple[str, Counts]]
    none: Counts


def processed(counts: Counts) -> int:
    """Attempts' ends that ended a task: as a result or as a failure."""
    return counts.completed + counts.failed


class Stats:
    """A client is shown its own figures; servers and admins those of the whole origin. Dates are UTC, YYYY-MM-DD."""

    def __init__(self, stats: StatsStore, servers: ServerStore, *, clock: Clock | None = None) -> None:
        self._stats = stats
        self._servers = servers
        self._clock = clock or SystemClock()

    def today(self) -> str:
        """The present day, by the wall clock."""
        return datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC).date().isoformat()

    async def day(self, principal: Principal, origin: str, date: str) -> DaySummary:
        """One day with its 24 hours, the queue, and the servers that did most."""
        owner = _scope(principal)
        registry, day, waiting, busiest = await asyncio.gather(
            self._servers.snapshot(),
            self._stats.day(origin, owner, date),
            self._stats.waiting(origin, owner, None if date == self.today() else date),
            self._stats.busiest(date, TOP_SERVERS),
        )
        by_server = await self._stats.servers_day(date, [*busiest, NO_SERVER])
        top = [(server_id, by_server.get(server_id, Counts())) for server_id in busiest]
        return DaySummary(day, waiting, len(registry.servers), top, by_server.get(NO_SERVER, Counts()))

    async def hours(self, principal: Principal, origin: str, date: str) -> DayStats:
        """One day by the hour."""
        return await self._stats.day(origin, _scope(principal), date)

    async def standing(
        self, origin: str, facets: Sequence[str] = ("",), *, owner: Owner | None = None
    ) -> dict[str, dict[TaskState, int]]:
        """How many kept tasks of one owner (None: of the whole origin) are in each state now, by facet ("": all)."""
        return await self._stats.standing(origin, owner, facets)

    async def totals(self, origin: str) -> Counts:
        """Of the whole origin, since ever."""
        return await self._stats.totals(origin, None)

    async def server_totals(self, server_ids: Sequence[str]) -> dict[str, Counts]:
        """What each of these servers did, since ever."""
        counts = await asyncio.gather(*(self._stats.server_totals(server_id) for server_id in server_ids))
        return dict(zip(server_ids, counts, strict=True))

    async def server_day(self, server_id: str, date: str) -> tuple[DayStats, float]:
        """One server's day, and the share (0..1) of its minutes with a sign of life; also of a server that was
        unregistered since, and of `none`, so that the sums stay complete. Raises NotFound when nothing is known of it.
        """
        if server_id != NO_SERVER and await self._stats.server_totals(server_id) == Counts():
            await self._servers.get(server_id)
        return await self._stats.server_day(server_id, date)


def _scope(principal: Principal) -> Owner | None:
    return None if principal.is_admin or Role.SERVER in principal.roles else principal.owner
