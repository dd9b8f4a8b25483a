"""Telemetry, placements and operations on the wire. Pure."""

import json
from collections.abc import Sequence

from dispatcher.dialects.native.fleet_answers import (
    MoveAnswer,
    OperationAnswer,
    PlacementAnswer,
    RebalanceAnswer,
    SampleAnswer,
    StepAnswer,
)
from dispatcher.dialects.native.requests import LoadedModel
from dispatcher.domain.operation import Operation, Step
from dispatcher.domain.placement import Placement, PlacementStatus
from dispatcher.domain.rebalance import Move
from dispatcher.domain.resources import Resources
from dispatcher.domain.telemetry import Sample


def sample_answer(sample: Sample) -> SampleAnswer:
    usage = sample.usage
    return SampleAnswer(
        at=sample.at_ms,
        cpu=usage.cpu,
        memory=usage.memory,
        gpu=usage.gpu,
        storage=usage.storage,
        gpus=json.loads(usage.gpus) if usage.gpus else [],
    )


def loaded_placement(server_id: str, told: LoadedModel) -> Placement:
    """A model that a server says is in its memory."""
    takes = Resources(memory=told.memory, gpu_memory=told.gpu_memory)
    return Placement(told.model, server_id, PlacementStatus.LOADED, preload=False, takes=takes, load_ms=told.load_time)


def placement_answer(placement: Placement) -> PlacementAnswer:
    answer = PlacementAnswer(
        model=placement.model,
        serverId=placement.server_id,
        status=placement.status.value,
        memory=placement.memory,
        loadTime=placement.load_ms,
        lastUsed=placement.last_used_ms,
    )
    if placement.error:
        answer["error"] = placement.error
    return answer


def operation_answer(operation: Operation) -> OperationAnswer:
    answer = OperationAnswer(
        id=operation.id,
        kind=operation.kind.value,
        state=operation.state.value,
        actor=operation.actor,
        steps=[_step(step) for step in operation.steps],
        startedAt=operation.started_ms,
        deadline=operation.deadline_ms,
        endedAt=operation.ended_ms,
    )
    if operation.why:
        answer["error"] = operation.why
    return answer


def rebalance_answer(operation: Operation, strategy: str, moves: Sequence[Move]) -> RebalanceAnswer:
    return RebalanceAnswer(**operation_answer(operation), strategy=strategy, moves=[_move(move) for move in moves])


def _move(move: Move) -> MoveAnswer:
    return MoveAnswer({"model": move.model, "from": move.source, "to": move.target, "memory": move.memory})


def _step(step: Step) -> StepAnswer:
    answer = StepAnswer(action=step.verb, serverId=step.server_id, state=step.state.value)
    if step.error:
        answer["error"] = step.error
    return answer
