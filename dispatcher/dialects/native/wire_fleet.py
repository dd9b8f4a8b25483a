"""Telemetry, placements and operations on the wire. Pure."""

import json

from dispatcher.dialects.native.fleet_answers import OperationAnswer, PlacementAnswer, SampleAnswer, StepAnswer
from dispatcher.domain.operation import Operation, Step
from dispatcher.domain.placement import Placement
from dispatcher.domain.telemetry import Sample


def sample_answer(sample: Sample) -> SampleAnswer:
    usage = sample.usage
    return SampleAnswer(
        at=sample.at_ms,
        cpu=usage.cpu,
        memory=usage.memory,
        gpu=usage.gpu,
        gpus=json.loads(usage.gpus) if usage.gpus else [],
    )


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


def _step(step: Step) -> StepAnswer:
    answer = StepAnswer(action=step.verb, serverId=step.server_id, state=step.state.value)
    if step.error:
        answer["error"] = step.error
    return answer
