"""Request bodies of CloudAI."""

import re
import shlex
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from dispatcher.dialects.cloudai.urgency import LEAST, MOST, USUAL
from dispatcher.dialects.validation import RequestModel
from dispatcher.domain.ids import WORKER_NAME, is_worker_name

_DECIMAL = re.compile(r"[+-]?([0-9]{1,20}(\.[0-9]{0,20})?|\.[0-9]{1,20})")
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]{0,511}")
_NUMBERS = ("cpu_required", "memory_required", "storage_required", "gpu_required", "k_value")

Tag = Literal["", "web-server", "data-processing", "ml-training", "batch-job", "api-service", "background-task"]


def _number(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if _DECIMAL.fullmatch(value.strip(" \t\r\n")) is None:
        raise ValueError("must be a number")
    return float(value)


def _image(text: str) -> str:
    if _IMAGE.fullmatch(text) is None:
        raise ValueError("must be the name of an image")
    return text


def _command(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not hold a NUL character")
    try:
        shlex.split(text)
    except ValueError:
        raise ValueError("must have its quotes closed, and nothing missing after a backslash") from None
    return text


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must not hold control characters")
    return text


def _worker(text: str) -> str:
    if not is_worker_name(text):
        raise ValueError(f"must be {WORKER_NAME}")
    return text


Part = Annotated[float, Field(ge=0.001, le=65_536), BeforeValidator(_number)]
Share = Annotated[float, Field(ge=0, le=65_536), BeforeValidator(_number)]
Volume = Annotated[float, Field(gt=0, le=2**20), BeforeValidator(_number)]


class CreateTask(RequestModel):
    docker_image: Annotated[str, AfterValidator(_image)]
    command: Annotated[str, Field(max_length=32_768), AfterValidator(_command)] = Field(
        default="", description="Split into words as a shell would, but run without one"
    )
    cpu_required: Part = Field(description="Cores, to a thousandth; also as a decimal string, like all numbers here")
    memory_required: Volume = Field(description="GB of 2**30 bytes")
    storage_required: Annotated[float, Field(ge=0, le=2**20), BeforeValidator(_number)] = 1.0
    gpu_required: Share = Field(default=0.0, description="GPUs, to a thousandth")
    user_id: Annotated[str, Field(max_length=128), AfterValidator(_printable)] = Field(
        default="", description="A label; default: the subject of the token"
    )
    tag: Tag = ""
    k_value: Annotated[float, Field(ge=LEAST, le=MOST), BeforeValidator(_number)] = Field(
        default=USUAL, description="Higher is more urgent"
    )


class RegisterWorker(RequestModel):
    worker_id: Annotated[str, AfterValidator(_worker)]
    worker_ip: Annotated[str, Field(min_length=1, max_length=300)] = Field(description="host:port")
    worker_port: int | None = Field(default=None, description="Where worker_ip names none")


def given(members: dict[str, Any]) -> dict[str, Any]:
    """The members of a new task that say something: an empty text in the place of a number says nothing."""
    return {
        name: value
        for name, value in members.items()
        if not (name in _NUMBERS and isinstance(value, str) and not value.strip(" \t\r\n"))
    }
