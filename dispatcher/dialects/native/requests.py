"""Request bodies of the native API."""

import re
from types import NoneType
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from dispatcher.dialects.native.validation import RequestModel
from dispatcher.domain.placement import LOADABLE, LONGEST_LOAD_MS, NAME_MOST
from dispatcher.domain.server import MAX_CONCURRENT

LATEST_MS = 253_402_300_799_999  # the last millisecond of the year 9999


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must not hold control characters")
    return text


def _short_or_model(text: str) -> str:
    if len(text) > 64 and not text.startswith(LOADABLE):
        raise ValueError("must have at most 64 characters")
    return text


def _header_value(text: str) -> str:
    if re.fullmatch(r"[\x21-\x7e]*", text) is None:
        raise ValueError("must be printable ASCII without spaces, as it travels in a header")
    return text


def _percentages(metrics: dict[str, Any]) -> dict[str, Any]:
    for name in ("cpu", "memory", "gpu"):
        value = metrics.get(name)
        if isinstance(value, bool) or not isinstance(value, (int, float, NoneType)):
            raise ValueError(f"{name} must be a number")
    return metrics


def _drop_null(value: Any) -> Any:
    return {k: v for k, v in value.items() if v is not None} if isinstance(value, dict) else value


Word = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_printable)]
Words = Annotated[list[Word], Field(max_length=32)]
Capability = Annotated[
    str,
    Field(min_length=1, max_length=len(LOADABLE) + NAME_MOST),
    AfterValidator(_printable),
    AfterValidator(_short_or_model),
]
Name = Annotated[str, Field(min_length=1, max_length=128), AfterValidator(_printable)]
Time = Annotated[int, Field(ge=0, le=LATEST_MS, description="Epoch milliseconds")]
Url = Annotated[str, Field(min_length=1, max_length=2048)]


Part = Annotated[float, Field(ge=0.001, le=65_536)]
Megabytes = Annotated[int, Field(ge=1, le=1 << 30)]


class ResourceAmounts(RequestModel):
    """What a task needs or a server has; what is left out is nothing."""

    cpu: Part | None = Field(default=None, description="Cores, to a thousandth")
    memory_mb: Megabytes | None = Field(default=None, alias="memoryMB", description="MB of 2**20 bytes")
    storage_mb: Megabytes | None = Field(default=None, alias="storageMB", description="MB of 2**20 bytes")
    gpu: Part | None = Field(default=None, description="GPUs, to a thousandth")
    gpu_memory_mb: Megabytes | None = Field(default=None, alias="gpuMemoryMB", description="MB of 2**20 bytes")


OwnResources = Annotated[ResourceAmounts, BeforeValidator(_drop_null)]


Kind = Literal["predict", "process", "docker", "model"]


class CreateTask(RequestModel):
    type: Name
    priority: int = Field(ge=0, le=10, description="Higher is more urgent")
    payload: dict[str, Any] = Field(description="Passed to the server as it came")
    capabilities: Words = Field(default=[], description="What the server must be capable of, all of it")
    asynchronous: bool = Field(default=True, alias="async", description="false: wait for the end of the task")
    kind: Kind = Field(
        default="predict",
        description="What the server must be able to run; agents run the others. With `model` the task names its model "
        "in `payload.model`, and goes only to servers with the capability `model:<name>`",
    )
    group: Word | None = Field(default=None, description="One of the groups that the server must be in")
    resources: OwnResources | None = Field(
        default=None, description="Kept free for it on the server while it runs; the server must have as much"
    )
    timeout: float | None = Field(default=None, ge=0.1, le=86_400, description="Seconds for one attempt")
    model: Name | None = Field(
        default=None,
        description="With kind `predict`: a free server that has it in memory goes first; any other may do the task",
    )
    affinity: Name | None = Field(default=None, description="Tasks that share it prefer one server (rendezvous-hash)")
    deadline: Annotated[Time, Field(ge=1)] | None = Field(default=None, description="In the future, and after runAt")
    run_at: Time | None = None


class UpdateTask(RequestModel):
    status: str | None = Field(default=None, description="PROCESSING, COMPLETED or FAILED")
    progress: float | None = Field(default=None, ge=0, le=100, description="Percent; never goes back")
    result: Any = Field(default=None, description="Any JSON, with COMPLETED")
    error: str | dict[str, Any] | None = Field(default=None, description="What went wrong, with FAILED")
    retryable: bool | None = Field(default=None, description="With FAILED: true leaves it to the retry rules")
    attempt: int | None = Field(default=None, ge=1, le=2**53, description="Which attempt this is about")


class Steer(RequestModel):
    reason: Annotated[str, Field(max_length=1000, description="For the server, and for people")] = ""


class NewLogLine(RequestModel):
    text: str = Field(description="Cut at 16 KiB")
    stream: Literal["stdout", "stderr"] = "stdout"
    at: Time | None = Field(default=None, description="Epoch milliseconds; default: the time of arrival")
    partial: bool = Field(default=False, description="The line goes on in the next one of its stream")


class AppendLog(RequestModel):
    first: int = Field(ge=1, le=2**53, description="The number of the first line: each attempt counts its own from 1")
    lines: Annotated[list[NewLogLine], Field(min_length=1, max_length=1000)]
    attempt: int | None = Field(default=None, ge=1, le=2**53, description="Which attempt says this")


class Endpoints(RequestModel):
    predict: Url
    health: Url | None = None
    metrics: Url | None = None
    cancel: Url | None = None


class RegisterServer(RequestModel):
    name: Name
    endpoints: Annotated[Endpoints, BeforeValidator(_drop_null)] | None = Field(
        default=None, description="Required with transport push, and only with it"
    )
    api_key: Annotated[str, Field(max_length=4096), AfterValidator(_header_value)] | None = Field(
        default=None, description="Shown to the server as a bearer token, with transport push; never returned"
    )
    max_concurrent: int = Field(default=10, ge=1, le=MAX_CONCURRENT)
    capabilities: Annotated[list[Capability], Field(max_length=32)] = Field(
        default=[],
        description="At most 64 characters each; longer only as `model:` and the name of a model that it can load",
    )
    groups: Words = Field(default=[])
    kinds: Annotated[list[Kind], Field(min_length=1, max_length=4)] = Field(
        default=["predict"], description="What it can run"
    )
    resources: OwnResources | None = Field(
        default=None, description="What it has for tasks, in all; left out, any task fits and nothing is counted"
    )
    priority: int = Field(default=1, ge=1, le=1000, description="Weight in balancing")
    transport: Literal["push", "pull", "socket"] = Field(
        default="push",
        description="push: the gateway calls endpoints.predict; pull: the server claims its tasks; "
        "socket: they come down the WebSocket that it opens at /api/servers/{id}/socket",
    )


class ClaimTask(RequestModel):
    wait: float | None = Field(default=None, ge=0, le=30, description="Seconds to wait for a task when there is none")


class LoadedModel(RequestModel):
    """A model in a server's memory, in bytes and milliseconds."""

    model: Name
    memory: int = Field(default=0, ge=0, le=2**53)
    gpu_memory: int = Field(default=0, ge=0, le=2**53)
    load_time: int = Field(default=0, ge=0, le=LONGEST_LOAD_MS)
    active: int = Field(
        default=0, ge=0, le=2**53, description="Tasks that use it now: it is not told to unload it then"
    )


class Heartbeat(RequestModel):
    status: Literal["healthy", "degraded", "unhealthy"] = "healthy"
    active_tasks: int | None = Field(default=None, ge=0, le=1_000_000)
    metrics: Annotated[dict[str, Any], AfterValidator(_percentages)] = Field(
        default={}, max_length=64, description="Numbers for cpu, memory and gpu (percent); other members are free"
    )
    boot_id: Name | None = Field(default=None, description="Another one than before: the server has restarted")
    running: Annotated[list[Name], Field(max_length=1024)] | None = Field(
        default=None, description="Ids of the tasks at work"
    )
    models: Annotated[list[LoadedModel], Field(max_length=64)] | None = Field(
        default=None, description="All that are in its memory; left out, nothing is said of them"
    )


class Hello(RequestModel):
    """What the machine of a server turned out to be; what is left out stays as it was registered."""

    kinds: Annotated[list[Kind], Field(min_length=1, max_length=4)] | None = None
    resources: OwnResources | None = None
    max_concurrent: int | None = Field(default=None, ge=1, le=MAX_CONCURRENT)
    commands: Words = Field(default=[], description="Those that it obeys")
    loadable: Annotated[list[Name], Field(max_length=256)] | None = Field(
        default=None, description="Models that it can load: each is a capability, `model:` and its name"
    )


class CommandReport(RequestModel):
    id: Annotated[str, Field(min_length=1, max_length=64)]
    detail: dict[str, Any] = Field(default={}, max_length=32)
    error: Annotated[str, Field(max_length=2000)] = ""


class Ready(RequestModel):
    slots: int = Field(default=1, ge=1, le=MAX_CONCURRENT)


class Attempt(RequestModel):
    task_id: Annotated[str, Field(min_length=1, max_length=64)]
    attempt: int = Field(ge=1, le=2**53)


class Release(Attempt):
    declined: Annotated[str, Field(min_length=1, max_length=1000)] | None = None


class Progress(Attempt):
    progress: float = Field(default=0.0, ge=0, le=100)
    metrics: dict[str, Any] | None = None
    checkpoint: Annotated[str, Field(max_length=1024)] | None = None


class SetMaintenance(RequestModel):
    maintenance: bool
    reason: Annotated[str, Field(max_length=500)] = ""


class SetAlgorithm(RequestModel):
    algorithm: Annotated[str, Field(min_length=1, max_length=64)]
