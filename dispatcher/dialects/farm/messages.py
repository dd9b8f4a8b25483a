"""What clients say over the WebSocket, and how it is read."""

import json
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from dispatcher.dialects.farm.options import MOST_METRICS
from dispatcher.dialects.farm.requests import Megabytes
from dispatcher.dialects.validation import RequestModel
from dispatcher.domain.errors import Invalid
from dispatcher.web.answer import encode_json
from dispatcher.web.event_stream import CloseSocket
from dispatcher.web.jsonbody import parse_object

MALFORMED = 1002
MOST_ID = 64  # characters


def _percent(value: Any) -> Any:
    return min(100.0, max(0.0, value)) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _bounded(metrics: Any) -> Any:
    if isinstance(metrics, dict) and len(encode_json(metrics)) > MOST_METRICS:
        raise ValueError(f"must not be larger than {MOST_METRICS} bytes")
    return metrics


Percent = Annotated[float, BeforeValidator(_percent)]
Metrics = Annotated[dict[str, Any], BeforeValidator(_bounded)]
Attempt = Annotated[int, Field(ge=1, le=2**53)]
CheckpointPath = Annotated[str, Field(max_length=4096)]
TaskId = Annotated[str, Field(max_length=MOST_ID)]


class Cpu(RequestModel):
    cores: Annotated[float, Field(ge=0, le=65_536)] = 0
    usage: Percent | None = None


class Memory(RequestModel):
    total: Megabytes = 0
    used: Megabytes | None = None


class Gpu(RequestModel):
    id: Annotated[int, Field(ge=0, le=2**31)] = 0
    name: Annotated[str, Field(max_length=128)] = ""
    memory: Memory = Memory()


class ClientResources(RequestModel):
    """What a client has, in the form in which it is shown; memory in MB."""

    cpu: Cpu = Cpu()
    ram: Memory = Memory()
    gpu: Annotated[list[Gpu], Field(max_length=64)] = Field(default=[])


class SystemInfo(RequestModel):
    """Usage in percent."""

    cpu_usage: Percent = 0.0
    ram_usage: Percent = 0.0
    gpu_usage: Percent = 0.0


class TaskRequest(RequestModel):
    resources: ClientResources | None = None


class TaskProgress(RequestModel):
    task_id: TaskId
    progress: Percent
    metrics: Metrics = Field(default={})
    checkpoint_path: CheckpointPath = ""
    attempt: Attempt | None = None


class TaskResult(RequestModel):
    task_id: TaskId
    status: Literal["completed", "failed", "stopped"]
    metrics: Metrics = Field(default={})
    checkpoint_path: CheckpointPath = ""
    error: Annotated[str, Field(max_length=65_536)] = ""
    attempt: Attempt | None = None


class Heartbeat(RequestModel):
    """`boot_id` and `running` are additions: another boot id than before, and a task that two heartbeats leave out of
    `running`, tell that the client has lost what it was given."""

    system_info: SystemInfo = SystemInfo()
    resources: ClientResources | None = None
    boot_id: Annotated[str, Field(max_length=64)] | None = None
    running: Annotated[list[TaskId], Field(max_length=256)] | None = None


class RuleBroken(Invalid):
    """A JSON object that breaks a rule of ours (NaN, duplicate names, ...). `members` is what can be read of it."""

    def __init__(self, error: Invalid, members: dict[str, Any]) -> None:
        super().__init__(error.message)
        self.members = members


def read_message(raw: bytes) -> dict[str, Any]:
    """The members of a message, those of its `data` below those at the top.

    Raises CloseSocket(1002) for what is no JSON object, RuleBroken.
    """
    try:
        return _laid_over(parse_object(raw).members)
    except Invalid as error:
        raise RuleBroken(error, _laid_over(_leniently(raw))) from None


def _laid_over(members: dict[str, Any]) -> dict[str, Any]:
    data = members.get("data")
    return {**data, **members} if isinstance(data, dict) else members


def _leniently(raw: bytes) -> dict[str, Any]:
    """Raises CloseSocket."""
    try:
        found: Any = json.loads(raw)
    except ValueError:
        found = None
    except RecursionError:  # too deep to be read at all
        found = {} if raw.lstrip().startswith(b"{") else None
    if not isinstance(found, dict):
        raise CloseSocket(MALFORMED, "A message is one JSON object")
    return found
