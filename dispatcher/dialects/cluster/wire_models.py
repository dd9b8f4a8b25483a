"""Models on workers, and moving them, between the domain and the wire. Pure."""

from collections.abc import Mapping, Sequence
from itertools import groupby

from dispatcher.dialects.cluster.answers import Assignment, Migration, PlacedModel, RebalanceAnswer, WorkerModels
from dispatcher.dialects.cluster.units import duration, estimate, size
from dispatcher.domain.operation import Operation, OperationState
from dispatcher.domain.placement import ModelSize, Placement, PlacementStatus
from dispatcher.domain.rebalance import Move

LOAD_MS = 45_000  # of a model that was never loaded
_WAITS = (PlacementStatus.LOADING, PlacementStatus.QUEUED)


def load_ms(model: str, sizes: Mapping[str, ModelSize]) -> int:
    """What loading a model takes, as far as it is known."""
    known = sizes.get(model)
    return known.load_ms if known is not None else LOAD_MS


def assignment(placed: Placement, there: Sequence[Placement], sizes: Mapping[str, ModelSize]) -> Assignment:
    """`there` is all that is on the worker: one model is loaded after another, the more urgent ones first."""
    if placed.status is PlacementStatus.LOADED:
        wait_ms = 0
    else:
        before = [
            one for one in there
            if one.model != placed.model and one.status in _WAITS and _goes_before(one, placed)
        ]  # fmt: skip
        wait_ms = sum(load_ms(one.model, sizes) for one in [*before, placed])
    return Assignment(worker_id=placed.server_id, status=placed.status.value, estimated_time=estimate(wait_ms))


def _goes_before(one: Placement, other: Placement) -> bool:
    return one.status is PlacementStatus.LOADING or one.priority >= other.priority


def by_worker(placements: Sequence[Placement]) -> list[WorkerModels]:
    """`placements` stand together by worker."""
    return [
        WorkerModels(worker_id=worker, models=[_placed(placement) for placement in own])
        for worker, own in groupby(placements, key=lambda placement: placement.server_id)
    ]


def rebalance(operation: Operation, moves: Sequence[Move], sizes: Mapping[str, ModelSize]) -> RebalanceAnswer:
    return RebalanceAnswer(
        rebalance_id=operation.id,
        status="planned" if operation.state is OperationState.PLANNED else "initiated" if moves else "completed",
        estimated_duration=estimate(sum(load_ms(move.model, sizes) for move in moves)),
        affected_workers=list(dict.fromkeys(name for move in moves for name in (move.source, move.target))),
        operations=[
            Migration(type="model_migration", from_worker=move.source, to_worker=move.target, model=move.model)
            for move in moves
        ],
    )


def _placed(placement: Placement) -> PlacedModel:
    answer = PlacedModel(
        name=placement.model,
        status=placement.status.value,
        memory_usage=size(placement.memory),
        load_time=None if placement.load_ms is None else duration(placement.load_ms),
    )
    if placement.error:
        answer["error"] = placement.error
    return answer
