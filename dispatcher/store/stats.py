"""Statistics in Redis. Implements `service.ports.StatsStore`."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from dispatcher.domain.principal import Owner
from dispatcher.domain.stats import COUNT_FIELDS, Counts, DayStats
from dispatcher.domain.transitions import TERMINAL, TaskState
from dispatcher.store.reach import reachable
from dispatcher.store.reads import listing
from dispatcher.store.runner import Runner

_DAY_MS = 86_400_000
_LIVE = tuple(state for state in TaskState if state not in TERMINAL)


def _day_number(iso: str) -> int:
    return int(datetime.combine(date.fromisoformat(iso), datetime.min.time(), UTC).timestamp()) // 86_400


def _scope(origin: str, owner: Owner | None) -> str:
    return f"p:{origin}:{owner.tenant}:{owner.sub}" if owner else f"o:{origin}"


def _counts(raw: dict[bytes, bytes], prefix: str = "") -> Counts:
    return Counts(*(int(raw.get(f"{prefix}{name}".encode(), 0)) for name in COUNT_FIELDS))


def _hours(raw: dict[bytes, bytes], iso: str) -> DayStats:
    return DayStats(iso, tuple(_counts(raw, f"{hour}:") for hour in range(24)))


class RedisStats:
    """Counts as the scripts wrote them."""

    def __init__(self, runner: Runner) -> None:
        self._run = runner

    async def day(self, origin: str, owner: Owner | None, date: str) -> DayStats:
        return _hours(await self._hash(f"st:{_scope(origin, owner)}:{_day_number(date)}"), date)

    async def waiting(self, origin: str, owner: Owner | None, date: str | None) -> dict[TaskState, int]:
        prefix = f"{self._run.root}ix:{origin}:" + (f"{owner.tenant}:{owner.sub}:" if owner else "")
        low, high = "-inf", "+inf"
        if date:
            start = _day_number(date) * _DAY_MS
            low, high = str(start), f"({start + _DAY_MS}"
        pipeline = self._run.client.pipeline(transaction=True)
        for state in _LIVE:
            pipeline.zcount(prefix + state, low, high)
        with reachable():
            return dict(zip(_LIVE, await pipeline.execute(), strict=True))

    async def standing(
        self, origin: str, owner: Owner | None, facets: Sequence[str] = ("",)
    ) -> dict[str, dict[TaskState, int]]:
        pipeline = self._run.client.pipeline(transaction=True)
        for facet in facets:
            for state in TaskState:
                pipeline.zcard(listing(self._run.root, origin, owner, facet) + state)
        with reachable():
            counts = iter(await pipeline.execute())
        return {facet: {state: next(counts) for state in TaskState} for facet in facets}

    async def totals(self, origin: str, owner: Owner | None) -> Counts:
        return _counts(await self._hash(f"sum:{_scope(origin, owner)}"))

    async def server_day(self, server_id: str, date: str) -> tuple[DayStats, float]:
        root, day = self._run.root, _day_number(date)
        pipeline = self._run.client.pipeline(transaction=True)
        pipeline.execute_command("HGETALL", f"{root}st:s:{server_id}:{day}")
        pipeline.execute_command("BITCOUNT", f"{root}up:{server_id}:{day}")
        pipeline.hget(f"{root}s:{server_id}", "registered")
        with reachable():
            raw, minutes, registered = await pipeline.execute()
        if registered is None:
            return _hours(raw, date), 0.0
        now_ms = (await self._run.call("time")).now_ms
        start = max(day * _DAY_MS, int(registered))
        end = min((day + 1) * _DAY_MS, now_ms)
        span = max(1, end // 60_000 - start // 60_000 + 1)  # minutes touched, the first and the current one included
        return _hours(raw, date), min(1.0, minutes / span) if end > start else 0.0

    async def server_totals(self, server_id: str) -> Counts:
        return _counts(await self._hash(f"sum:s:{server_id}"))

    async def busiest(self, date: str, limit: int) -> list[str]:
        with reachable():
            found: Any = await self._run.client.zrevrange(f"{self._run.root}busy:{_day_number(date)}", 0, limit - 1)
        return [server_id.decode() for server_id in found]

    async def servers_day(self, date: str, server_ids: Sequence[str]) -> dict[str, Counts]:
        pipeline = self._run.client.pipeline(transaction=False)
        for server_id in server_ids:
            pipeline.execute_command("HGETALL", f"{self._run.root}st:s:{server_id}:{_day_number(date)}")
        with reachable():
            answers = await pipeline.execute() if server_ids else []
        return {
            server_id: sum(_hours(raw, date).hours, Counts())
            for server_id, raw in zip(server_ids, answers, strict=True)
        }

    async def _hash(self, name: str) -> dict[bytes, bytes]:
        with reachable():
            found: Any = await self._run.client.hgetall(self._run.root + name)
        return dict(found)
