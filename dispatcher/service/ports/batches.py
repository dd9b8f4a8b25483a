"""Many tasks or none."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from dispatcher.domain.errors import RateState
from dispatcher.domain.lane import Demand
from dispatcher.domain.principal import Owner
from dispatcher.domain.task import NewTask
from dispatcher.service.ports.requests import RateRule


@dataclass(frozen=True, slots=True)
class BatchTotals:
    """What a batch must hold to be committed: tasks of one owner, origin and demand."""

    origin: str
    owner: Owner
    demand: Demand
    count: int
    size: int  # bytes of all payloads


class BatchStore(Protocol):
    """Many tasks or none. What is staged is in no list, count or queue; a minute later it is gone."""

    async def stage(self, batch_id: str, first: int, tasks: Sequence[NewTask]) -> None:
        """Hand in at most 64 tasks of a batch, at places from `first` (0 = the batch's first). No runAt, no deadline.
        Raises Unavailable for too many lanes."""
        ...

    async def commit(
        self, batch_id: str, totals: BatchTotals, *, rate: RateRule | None = None
    ) -> tuple[int, RateState | None]:
        """Make the batch valid, whatever happens next; answers its time of creation (ms). It counts as one call.

        Raises, leaving everything but the rate count as it was: RateLimited; NotFound (not all there, or older than
        a minute); QuotaExceeded; Unavailable.
        """
        ...

    async def fill(self, batch_id: str, *, limit: int = 64) -> int:
        """Put up to `limit` tasks of a committed batch into the queue; answers how many are left. `tick` does the
        same for batches whose gateway died."""
        ...
