"""Operations on the fleet in Redis. Implements `service.ports.OperationStore`."""

import json
from collections.abc import Sequence
from typing import Any

from dispatcher.domain.errors import NotFound
from dispatcher.domain.operation import NewOperation, Operation, OperationKind, OperationState, Step, StepState
from dispatcher.store import codec
from dispatcher.store.reach import reachable
from dispatcher.store.refusals import operation_running, too_many_operations
from dispatcher.store.runner import Reply, Runner


class RedisOperations:
    """One hash per operation; the running ones by the end of their lease."""

    def __init__(self, runner: Runner) -> None:
        self._run = runner

    async def create(self, operation: NewOperation) -> Operation:
        reply = await self._run.call(
            "create_operation",
            operation_id=operation.id,
            kind=operation.kind,
            actor=operation.actor,
            guard=operation.guard,
            sequence="1" if operation.sequence else "0",
            dry_run="1" if operation.dry_run else "0",
            for_ms=operation.for_ms,
            steps=json.dumps([(step.verb, step.server_id, step.args) for step in operation.steps]),
            count=len(operation.steps),
            note=operation.note,
        )
        if reply.tag == "busy":
            raise operation_running(reply.text(0))
        if reply.tag == "too_many":
            raise too_many_operations()
        return _operation(reply.values[0], reply.now_ms)

    async def get(self, operation_id: str) -> Operation:
        return _found(await self._run.call("get_operation", operation_id=operation_id, guard=""), operation_id)

    async def recent(self, limit: int = 50) -> list[Operation]:
        reply = await self._run.call("recent_operations", limit=limit)
        return [_operation(fields, reply.now_ms) for fields in reply.values[0]]

    async def guarded(self, guard: str) -> Operation | None:
        reply = await self._run.call("get_operation", operation_id="", guard=guard)
        return _operation(reply.values[0], reply.now_ms) if reply.tag == "operation" else None

    async def guards(self) -> list[str]:
        with reachable():
            found: Any = await self._run.client.hkeys(f"{self._run.root}opguard")
        return sorted(guard.decode() for guard in found)

    async def advance(self, operation_id: str, place: int, state: StepState, error: str = "") -> Operation:
        reply = await self._run.call(
            "advance_operation", operation_id=operation_id, place=place, state=state, why=error
        )
        return _found(reply, operation_id)

    async def fail(self, operation_id: str, error: str) -> Operation:
        return _found(await self._run.call("fail_operation", operation_id=operation_id, why=error), operation_id)

    async def lease(self, gateway: str, lease_ms: int, limit: int = 16) -> list[Operation]:
        reply = await self._run.call("lease_operations", gateway=gateway, lease_ms=lease_ms, limit=limit)
        return [_operation(fields, reply.now_ms) for fields in reply.values[0]]


def _found(reply: Reply, operation_id: str) -> Operation:
    if reply.tag == "not_found":
        raise NotFound(f"Operation not found: {operation_id}")
    return _operation(reply.values[0], reply.now_ms)


def _operation(raw: Sequence[bytes], now_ms: int) -> Operation:
    f = codec.fields(raw[1:])
    steps = tuple(
        Step(verb, server_id, args, StepState(f.get(f"st:{at}", "waiting")), f.get(f"er:{at}", ""))
        for at, (verb, server_id, args) in enumerate(json.loads(f["steps"]))
    )
    return Operation(
        id=raw[0].decode(),
        kind=OperationKind(f["kind"]),
        state=OperationState(f["state"]),
        actor=f["actor"],
        steps=steps,
        started_ms=int(f["started"]),
        deadline_ms=int(f["deadline"]),
        guard=f["guard"],
        sequence=f["sequence"] == "1",
        ended_ms=int(f["ended"]) if "ended" in f else None,
        error=f.get("error", ""),
        note=f.get("note", ""),
        now_ms=now_ms,
    )
