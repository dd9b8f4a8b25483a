"""Many tasks or none, in dicts: here all of a batch goes into the queue when it is committed."""

from collections.abc import Sequence

from dispatcher.domain.errors import NotFound, QuotaExceeded, RateState, Unavailable, counted
from dispatcher.domain.task import NewTask
from dispatcher.service.ports import BatchTotals, RateRule
from dispatcher.store.memory import create
from dispatcher.store.memory.state import State

KEEP_MS = 60_000


class MemoryBatches:
    """Implements `BatchStore`."""

    def __init__(self, state: State) -> None:
        self._s = state
        self._staged: dict[str, tuple[int, dict[int, NewTask]]] = {}  # id -> until, tasks by place
        self._committed: dict[str, int] = {}

    async def stage(self, batch_id: str, first: int, tasks: Sequence[NewTask]) -> None:
        _, places = self._staged.setdefault(batch_id, (self._s.now + KEEP_MS, {}))
        places.update(enumerate(tasks, first))

    async def commit(
        self, batch_id: str, totals: BatchTotals, *, rate: RateRule | None = None
    ) -> tuple[int, RateState | None]:
        s = self._s
        if batch_id in self._committed:
            return self._committed[batch_id], None
        state = s.counters.rate(rate, s.now) if rate is not None else None
        until_ms, places = self._staged.get(batch_id, (0, {}))
        with counted(state):
            if until_ms <= s.now or len(places) != totals.count:
                raise NotFound("The batch is not complete, or too old")
            self._check_bounds(totals)
        for place in range(totals.count):
            row = create.insert(s, places[place], later_us=place)
            s.changed(row)
        s.hub.wake(s.now)
        del self._staged[batch_id]
        self._committed[batch_id] = s.now
        return s.now, state

    async def fill(self, batch_id: str, *, limit: int = 64) -> int:
        return 0

    def _check_bounds(self, totals: BatchTotals) -> None:
        s, options, lane = self._s, self._s.options, totals.demand.lane
        used = s.tenants.get(totals.owner.tenant)
        tasks, size, lanes = (used.tasks, used.size, len(used.lanes)) if used is not None else (0, 0, 0)
        new_lane = used is None or lane not in used.lanes
        if (
            tasks + totals.count > options.tenant_max
            or size + totals.size > options.tenant_bytes_max
            or (new_lane and lanes >= options.tenant_lanes_max)
        ):
            raise QuotaExceeded("Too many tasks are waiting")
        if s.usage.tasks + totals.count > options.queue_max or s.usage.size + totals.size > options.queue_bytes_max:
            raise Unavailable("The queue is full")
