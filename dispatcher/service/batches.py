"""Handing in many tasks: all or none."""

from collections.abc import Sequence
from contextlib import suppress

from dispatcher.domain.errors import DispatchError, RateState, Unavailable
from dispatcher.domain.ids import new_claim_id
from dispatcher.domain.task import NewTask
from dispatcher.service.dispatch import Dispatch
from dispatcher.service.ports import BatchStore, BatchTotals, RateRule
from dispatcher.service.retry import OUTAGE

CHUNK = 64  # tasks of one script call


class Batches:
    """Tasks are put aside in chunks, become valid in one step, and go into the queue in chunks again."""

    def __init__(self, batches: BatchStore, dispatch: Dispatch) -> None:
        self._batches = batches
        self._dispatch = dispatch

    async def create(self, tasks: Sequence[NewTask], *, rate: RateRule | None) -> tuple[int, RateState | None]:
        """Create all of these tasks (at least one; of one owner, origin and demand); answers their time of creation.

        Raises as `BatchStore`, and Unavailable while this gateway stops: then none of them exists.
        """
        if self._dispatch.draining:
            raise Unavailable("This gateway is shutting down")
        batch_id, first = new_claim_id(), tasks[0]
        for start in range(0, len(tasks), CHUNK):
            await self._batches.stage(batch_id, start, tasks[start : start + CHUNK])
        size = sum(len(task.payload) for task in tasks)
        totals = BatchTotals(first.origin, first.owner, first.demand, len(tasks), size)
        created_ms, state = await self._batches.commit(batch_id, totals, rate=rate)
        with suppress(DispatchError, *OUTAGE):  # any gateway's next tick goes on with it
            while await self._batches.fill(batch_id, limit=CHUNK):
                pass
        return created_ms, state
