"""Request bodies of the farm's REST API."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from dispatcher.dialects.farm.options import MOST_RANKS
from dispatcher.dialects.validation import RequestModel, WebUrl


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be printable")
    return text


def _without_null(value: Any) -> Any:
    return {key: one for key, one in value.items() if one is not None} if isinstance(value, dict) else value


Word = Annotated[str, Field(min_length=1, max_length=128), AfterValidator(_printable)]
Megabytes = Annotated[int, Field(ge=0, le=2**31)]
Count = Annotated[int, Field(ge=1, le=2**53)]


class Requirements(RequestModel):
    min_gpu_memory: Megabytes = Field(default=0, description="MB, of one GPU")
    min_cpu_cores: Annotated[int, Field(ge=0, le=4096)] = 1
    min_ram: Megabytes = 0


class CreateTask(RequestModel):
    """What the gateway understands of a new task; all other members are the client's business."""

    type: Word
    name: Annotated[str, Field(min_length=1, max_length=256), AfterValidator(_printable)]
    url: WebUrl | None = None
    version: Word | None = None
    batch_size: Count | None = None
    learning_rate: Annotated[float, Field(gt=0)] | None = None
    epochs: Count | None = None
    distributed: bool = False
    requirements: Annotated[Requirements, BeforeValidator(_without_null)] = Requirements()
    n_clients: Annotated[int, Field(ge=1, le=MOST_RANKS)] = 1

    @field_validator("n_clients")
    @classmethod
    def _several_together(cls, value: int, info: ValidationInfo) -> int:
        if value > 1 and not info.data.get("distributed", True):
            raise ValueError("must be 1 unless distributed is true")
        return value


NOT_PUT = ("completed", "failed")  # words of the document that only a client's result brings about
CONTROL = ("type", "requirements", "n_clients")  # what is not part of a task's config


class UpdateStatus(RequestModel):
    status: Literal["pending", "running", "paused", "stopped", "cancelled"]
    reason: Annotated[str, Field(max_length=1000)] = ""
