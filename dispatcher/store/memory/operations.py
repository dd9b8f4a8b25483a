"""Operations on the fleet in dicts."""

from dataclasses import replace

from dispatcher.domain.errors import NotFound
from dispatcher.domain.operation import (
    LISTED_MOST,
    LIVE_MOST,
    NewOperation,
    Operation,
    OperationState,
    Step,
    StepState,
)
from dispatcher.store.memory.placements import give_up_loads
from dispatcher.store.memory.state import State
from dispatcher.store.refusals import operation_running, too_many_operations

RUNNING = OperationState.RUNNING


class MemoryOperations:
    """Implements `OperationStore`."""

    def __init__(self, state: State) -> None:
        self._s = state
        self._kept: dict[str, Operation] = {}  # in the order in which they came
        self._leases: dict[str, tuple[str, int]] = {}  # operation -> gateway, until

    async def create(self, operation: NewOperation) -> Operation:
        known = self._known(operation.id)
        if known is not None:
            return known
        if not operation.dry_run:
            holder = await self.guarded(operation.guard)
            if holder is not None:
                raise operation_running(holder.id)
            if sum(1 for o in self._kept.values() if o.state is RUNNING) >= LIVE_MOST:
                raise too_many_operations()
        new = Operation(
            operation.id, operation.kind, RUNNING, operation.actor,
            tuple(Step(step.verb, step.server_id, step.args) for step in operation.steps),
            self._s.now, self._s.now + operation.for_ms, operation.guard, operation.sequence,
            note=operation.note, now_ms=self._s.now,
        )  # fmt: skip
        if operation.dry_run:
            new = replace(new, state=OperationState.PLANNED, ended_ms=self._s.now)
        self._kept[new.id] = new
        if not operation.dry_run:
            self._tell(new)
            if not new.steps:
                return self._end(new, OperationState.DONE)
        return new

    async def get(self, operation_id: str) -> Operation:
        found = self._known(operation_id)
        if found is None:
            raise NotFound(f"Operation not found: {operation_id}")
        return found

    async def recent(self, limit: int = 50) -> list[Operation]:
        newest = list(self._kept)[: -LISTED_MOST - 1 : -1]
        return [known for name in newest if (known := self._known(name)) is not None][:limit]

    async def guarded(self, guard: str) -> Operation | None:
        holders = (o for o in self._kept.values() if o.state is RUNNING and o.guard == guard != "")
        return next(holders, None)

    async def guards(self) -> list[str]:
        return sorted(o.guard for o in self._kept.values() if o.guard and o.state is RUNNING)

    async def advance(self, operation_id: str, place: int, state: StepState, error: str = "") -> Operation:
        known = await self.get(operation_id)
        there = known.state is RUNNING and 0 <= place < len(known.steps)
        if not there or state.rank <= known.steps[place].state.rank:
            return known
        steps = list(known.steps)
        steps[place] = replace(steps[place], state=state, error=error)
        moved = self._kept[operation_id] = replace(known, steps=tuple(steps))
        failure = next((step for step in steps if step.state is StepState.FAILED), None)
        if all(step.state.ended for step in steps):
            return self._end(moved, OperationState.FAILED, failure.error) if failure else self._end(moved)
        return replace(moved, now_ms=self._s.now)

    async def fail(self, operation_id: str, error: str) -> Operation:
        known = await self.get(operation_id)
        return self._end(known, OperationState.FAILED, error) if known.state is RUNNING else known

    async def lease(self, gateway: str, lease_ms: int, limit: int = 16) -> list[Operation]:
        leased: list[Operation] = []
        running = [o for o in self._kept.values() if o.state is RUNNING]
        for operation in sorted(running, key=lambda o: (self._leases.get(o.id, ("", 0))[1], o.id)):  # they take turns
            holder, until_ms = self._leases.get(operation.id, ("", 0))
            if operation.deadline_ms <= self._s.now:
                self._end(operation, OperationState.FAILED, "It took too long")
            elif len(leased) < limit and (until_ms <= self._s.now or holder == gateway):
                self._leases[operation.id] = (gateway, self._s.now + lease_ms)
                leased.append(replace(operation, now_ms=self._s.now))
        return leased

    def _known(self, operation_id: str) -> Operation | None:
        found = self._kept.get(operation_id)
        if found is None or (found.ended_ms and found.ended_ms + self._s.options.retention_ms <= self._s.now):
            return None
        return replace(found, now_ms=self._s.now)

    def _end(self, operation: Operation, state: OperationState = OperationState.DONE, error: str = "") -> Operation:
        self._leases.pop(operation.id, None)
        if state is OperationState.FAILED:
            give_up_loads(self._s, operation.id, error)
        self._kept[operation.id] = ended = replace(operation, state=state, ended_ms=self._s.now, error=error)
        self._tell(ended)
        return ended

    def _tell(self, operation: Operation) -> None:
        fields = {"id": operation.id, "kind": operation.kind.value, "state": operation.state.value}
        self._s.hub.event("operation", fields)
