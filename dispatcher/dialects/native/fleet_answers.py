"""Requests and answers about telemetry, models and operations. Percentages 0..100, sizes in bytes."""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from dispatcher.dialects.native.requests import Name
from dispatcher.dialects.native.validation import RequestModel

ServerIds = Annotated[list[Name], Field(min_length=1, max_length=64)]


class AssignModel(RequestModel):
    model: Name
    servers: ServerIds = Field(description="Workers with a control channel; all of them or none")
    preload: bool = Field(default=True, description="false: loaded with its first task")
    priority: int = Field(default=5, ge=0, le=10, description="Higher is loaded sooner: one at a time per server")


class UnloadModel(RequestModel):
    model: Name
    servers: ServerIds
    force: bool = Field(default=False, description="Also while it is in use")


class RebalanceModels(RequestModel):
    strategy: Literal["memory_optimized", "load_balanced", "performance_optimized"] = Field(
        default="memory_optimized", description="What is spread: the memory of models, or their use"
    )
    force: bool = Field(default=False, description="End a rebalance that is running, and begin anew")
    dry_run: bool = Field(default=False, description="The plan alone")


class SampleAnswer(TypedDict):
    at: int
    cpu: float | None
    memory: float | None
    gpu: float | None
    storage: float | None
    gpus: list[Any]


class TelemetryAnswer(TypedDict):
    serverId: str
    samples: list[SampleAnswer]


class PlacementAnswer(TypedDict):
    model: str
    serverId: str
    status: Literal["assigned", "queued", "loading", "loaded", "unloading", "failed"]
    memory: int
    loadTime: int | None
    lastUsed: int | None
    error: NotRequired[str]


class ModelsAnswer(TypedDict):
    models: list[PlacementAnswer]


class AssignmentAnswer(TypedDict):
    """With `preload` the assignment's id is also that of the operation that loads it."""

    assignmentId: str
    models: list[PlacementAnswer]


class StepAnswer(TypedDict):
    action: str
    serverId: str
    state: Literal["waiting", "running", "done", "failed"]
    error: NotRequired[str]


class OperationAnswer(TypedDict):
    id: str
    kind: Literal["restart", "load", "unload", "rebalance"]
    state: Literal["planned", "running", "done", "failed"]
    actor: str
    steps: list[StepAnswer]
    startedAt: int
    deadline: int
    endedAt: int | None
    error: NotRequired[str]


# "from" is a word of the language
MoveAnswer = TypedDict("MoveAnswer", {"model": str, "from": str, "to": str, "memory": int})


class RebalanceAnswer(OperationAnswer):
    """A move is a load on server `to`, then an unload on server `from`. A plan alone has the state `planned`."""

    strategy: str
    moves: list[MoveAnswer]
