"""Operations on the fleet. They are driven by whichever gateway holds their lease, and by what workers report."""

from typing import Protocol

from dispatcher.domain.operation import NewOperation, Operation, StepState


class OperationStore(Protocol):
    async def create(self, operation: NewOperation) -> Operation:
        """Keep an operation and begin it (a dry run: keep it as planned); one without steps is done at once. Tells
        the fleet's stream (`operation` with id, kind, state), as every end does. A known id is answered as it stands.
        Raises Conflict: OPERATION_RUNNING while another one holds the guard, TOO_MANY over 256."""
        ...

    async def get(self, operation_id: str) -> Operation:
        """Raises NotFound; ended ones are kept for the retention time."""
        ...

    async def recent(self, limit: int = 50) -> list[Operation]:
        """Newest first."""
        ...

    async def guarded(self, guard: str) -> Operation | None:
        """The running operation that holds a guard."""
        ...

    async def guards(self) -> list[str]:
        """All guards that running operations hold."""
        ...

    async def advance(self, operation_id: str, place: int, state: StepState, error: str = "") -> Operation:
        """Move a step on; what does not changes nothing. With the end of its last step the operation ends, as failed
        when one of them has. Raises NotFound."""
        ...

    async def fail(self, operation_id: str, error: str) -> Operation:
        """End a running operation before its time; an ended one stays as it is. Raises NotFound. With every operation
        that fails, the models that its steps would have loaded are given up: queued and loading ones have failed."""
        ...

    async def lease(self, gateway: str, lease_ms: int, limit: int = 16) -> list[Operation]:
        """Running operations that no other gateway drives, for this one to drive until its lease ends. Those past
        their deadline are ended as failed instead."""
        ...
