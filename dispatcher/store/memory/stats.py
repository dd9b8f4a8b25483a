"""The statistics and the coordination of gateways in dicts."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

from dispatcher.domain.errors import RateState
from dispatcher.domain.event import FleetEvent, InboxMessage
from dispatcher.domain.principal import Owner
from dispatcher.domain.stats import NO_SERVER, Counts, DayStats
from dispatcher.domain.transitions import TERMINAL, TaskState
from dispatcher.service.ports import RateRule
from dispatcher.store.memory.counters import HOUR_MS, MINUTE_MS, Scope, origin_scope, owner_scope, server_scope
from dispatcher.store.memory.state import State
from dispatcher.store.options import DAY_MS


def _midnight_ms(date: str) -> int:
    return int(datetime.strptime(date, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()) * 1000


def _scope(origin: str, owner: Owner | None) -> Scope:
    return origin_scope(origin) if owner is None else owner_scope(origin, owner.tenant, owner.sub)


class MemoryStats:
    """Implements `StatsStore`."""

    def __init__(self, state: State) -> None:
        self._s = state

    def _day(self, scope: Scope, date: str) -> DayStats:
        first = _midnight_ms(date) // HOUR_MS
        hours = self._s.counters.hours
        return DayStats(date, tuple(hours.get((scope, first + h), Counts()) for h in range(24)))

    def _total(self, scope: Scope) -> Counts:
        return self._s.counters.totals.get(scope, Counts())

    async def day(self, origin: str, owner: Owner | None, date: str) -> DayStats:
        return self._day(_scope(origin, owner), date)

    async def waiting(self, origin: str, owner: Owner | None, date: str | None) -> dict[TaskState, int]:
        start = _midnight_ms(date) if date is not None else None
        found = Counter(
            row.state
            for row in self._s.tasks.values()
            if not row.ended
            and row.new.origin == origin
            and owner in (None, row.new.owner)
            and (start is None or start <= row.created_ms < start + DAY_MS)
        )
        return {state: found[state] for state in TaskState if state not in TERMINAL}

    async def standing(
        self, origin: str, owner: Owner | None, facets: Sequence[str] = ("",)
    ) -> dict[str, dict[TaskState, int]]:
        rows = [r for r in self._s.tasks.values() if r.new.origin == origin and owner in (None, r.new.owner)]
        found: dict[str, dict[TaskState, int]] = {}
        for facet in facets:
            states = Counter(row.state for row in rows if not facet or facet in row.facets)
            found[facet] = {state: states[state] for state in TaskState}
        return found

    async def totals(self, origin: str, owner: Owner | None) -> Counts:
        return self._total(_scope(origin, owner))

    async def server_day(self, server_id: str, date: str) -> tuple[DayStats, float]:
        return self._day(server_scope(server_id), date), self._uptime(server_id, date)

    def _uptime(self, server_id: str, date: str) -> float:
        server = self._s.servers.get(server_id)
        if server is None:
            return 0.0
        midnight = _midnight_ms(date)
        first = max(midnight, server.registered_ms) // MINUTE_MS
        last = min(midnight + DAY_MS - 1, self._s.now) // MINUTE_MS
        alive = sum(1 for minute in self._s.counters.alive[server_id] if first <= minute <= last)
        return alive / (last - first + 1) if last >= first else 0.0

    async def server_totals(self, server_id: str) -> Counts:
        return self._total(server_scope(server_id))

    async def busiest(self, date: str, limit: int) -> list[str]:
        first = _midnight_ms(date) // HOUR_MS
        done: Counter[str] = Counter()
        for (scope, hour), counts in self._s.counters.hours.items():
            if scope[0] == "server" and scope[1] != NO_SERVER and first <= hour < first + 24:
                done[scope[1]] += counts.completed + counts.failed
        return sorted((name for name in done if done[name]), key=lambda name: (done[name], name), reverse=True)[:limit]

    async def servers_day(self, date: str, server_ids: Sequence[str]) -> dict[str, Counts]:
        return {server_id: self._day(server_scope(server_id), date).total for server_id in server_ids}


class MemoryCoordination:
    """Implements `Coordination` for gateways of one process."""

    def __init__(self, state: State) -> None:
        self._s = state

    async def limit(self, *rules: RateRule) -> RateState:
        return self._s.counters.limit(rules, self._s.now)

    async def take_seat(self, holder: str, seat: str, *, most: int, lives_ms: int) -> bool:
        seats = self._s.seats.setdefault(holder, {})
        for name in [name for name, until in seats.items() if until <= self._s.now]:
            del seats[name]
        if lives_ms <= 0:
            seats.pop(seat, None)
            return True
        if seat not in seats and len(seats) >= most:
            return False
        seats[seat] = self._s.now + lives_ms
        return True

    async def presence(self, gateway: str) -> int:
        self._s.hub.present(gateway, self._s.now)
        return self._s.epoch

    async def leave(self, gateway: str) -> None:
        self._s.hub.leave(gateway)

    def inbox(self, gateway: str) -> AsyncIterator[InboxMessage]:
        return self._s.hub.inbox(gateway).read()

    def events(self) -> AsyncIterator[FleetEvent]:
        return self._s.hub.fleet.read()

    async def ping(self) -> None:
        """Memory is always in reach."""

    async def durability(self) -> dict[str, str]:
        return {"engine": "memory", "version": "", "appendonly": "no", "appendfsync": "no", "maxmemory-policy": ""}
