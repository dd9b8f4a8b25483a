"""Request bodies of the cluster."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from dispatcher.dialects.validation import RequestModel

Priority = Literal["low", "normal", "high", "critical"]


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be printable")
    return text


def _distinct(words: list[str]) -> list[str]:
    if len(set(words)) != len(words):
        raise ValueError("must not name a worker twice")
    return words


Word = Annotated[str, Field(min_length=1, max_length=128), AfterValidator(_printable)]
WorkerIds = Annotated[list[Word], Field(min_length=1, max_length=64), AfterValidator(_distinct)]


class SubmitTask(RequestModel):
    task_type: Word
    model_name: Word | None = None
    parameters: dict[str, Any] = Field(default={}, description="For the model; the gateway does not look inside")
    priority: Priority = "normal"
    timeout: Annotated[float, Field(ge=1, le=86_400)] | None = Field(
        default=None, description="Seconds that one execution may take"
    )


class AssignModel(RequestModel):
    model_name: Word
    worker_ids: WorkerIds
    preload: bool = Field(default=True, description="false: loaded with its first task")
    priority: Priority = "normal"


class UnloadModel(RequestModel):
    model_name: Word
    worker_ids: WorkerIds
    force: bool = Field(default=False, description="Also while it is in use")


class Rebalance(RequestModel):
    strategy: Literal["memory_optimized", "load_balanced", "performance_optimized"] = "memory_optimized"
    force: bool = Field(default=False, description="End a rebalance that is running, and begin anew")
    dry_run: bool = Field(default=False, description="The plan alone")
