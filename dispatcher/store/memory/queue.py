"""The waiting tasks: by score within a tenant, start-time fair between tenants.

Start-time fair queueing: Goyal, Vin, Cheng, "Start-time Fair Queuing", SIGCOMM 1996. A tenant's tag is the virtual
time at which its next task may start; the smallest tag goes first, and every start moves it on by 1 / weight.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from heapq import merge

from dispatcher.store.memory.task_rows import TaskRow

Entry = tuple[int, str]  # score, task


class FairQueue:
    def __init__(self) -> None:
        self.virtual = 0.0
        self._tags: dict[str, float] = {}
        self._lanes: dict[str, dict[str, list[Entry]]] = {}  # tenant -> lane -> entries in order

    def add(self, row: TaskRow) -> None:
        tenant = row.new.owner.tenant
        if tenant not in self._lanes:  # an idle tenant saves up nothing
            self._tags[tenant] = max(self._tags.get(tenant, 0.0), self.virtual)
        insort(self._lanes.setdefault(tenant, {}).setdefault(row.lane, []), (row.score, row.id))

    def remove(self, row: TaskRow) -> None:
        tenant = row.new.owner.tenant
        lanes = self._lanes[tenant]
        entries = lanes[row.lane]
        del entries[bisect_left(entries, (row.score, row.id))]
        if not entries:
            del lanes[row.lane]
        if not lanes:
            del self._lanes[tenant]

    def charge(self, row: TaskRow) -> None:
        """A task of this tenant starts."""
        tenant = row.new.owner.tenant
        self.virtual = max(self._tags.get(tenant, 0.0), self.virtual)
        self._tags[tenant] = self.virtual + 1 / row.new.weight

    def order(self, serves: Callable[[str], bool]) -> Iterator[str]:
        """Task ids of the lanes that `serves` accepts: by tenant (tag, name), then by (score, lane, id)."""
        for tenant in sorted(self._lanes, key=lambda name: (self._tags[name], name)):
            lanes = self._lanes[tenant]
            for _, _, task_id in merge(*(_keyed(lane, lanes[lane]) for lane in lanes if serves(lane))):
                yield task_id

    def __iter__(self) -> Iterator[str]:
        return self.order(lambda _: True)


def _keyed(lane: str, entries: list[Entry]) -> Iterator[tuple[int, str, str]]:
    return ((score, lane, task_id) for score, task_id in entries)
