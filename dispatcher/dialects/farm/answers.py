"""Answers of the farm. Times are ISO 8601 in UTC, whole seconds; memory is in MB of 2**20 bytes, progress and usage in
percent."""

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

TaskStatus = Literal["pending", "running", "paused", "completed", "failed", "stopped"]
ClientStatus = Literal["active", "inactive"]


class RequirementsAnswer(TypedDict):
    min_gpu_memory: int
    min_cpu_cores: int
    min_ram: int


class CreatedTask(TypedDict):
    id: str
    status: TaskStatus
    created_at: str


class ListedTask(TypedDict):
    id: str
    type: str
    status: TaskStatus
    progress: float
    created_at: str
    updated_at: str


class TaskList(TypedDict):
    tasks: list[ListedTask]
    total: int
    page: int


class TaskDetails(TypedDict):
    id: str
    type: str
    status: TaskStatus
    progress: float
    metrics: dict[str, Any]
    config: dict[str, Any]
    requirements: RequirementsAnswer
    created_at: str
    updated_at: str
    n_clients: int
    attempt: int
    reason: str | None
    checkpoint_path: str | None
    error: str | None


class UpdatedTask(TypedDict):
    id: str
    status: TaskStatus
    updated_at: str


class ListedClient(TypedDict):
    id: str
    status: ClientStatus
    resources: dict[str, Any]
    last_seen: str


class ClientList(TypedDict):
    clients: list[ListedClient]


class ClientTask(TypedDict):
    id: str
    status: TaskStatus
    progress: float


class Performance(TypedDict):
    completed_tasks: int
    average_time: float
    success_rate: float


class ClientDetails(TypedDict):
    id: str
    status: ClientStatus
    resources: dict[str, Any]
    tasks: list[ClientTask]
    performance: Performance
    last_seen: str


class ClientCounts(TypedDict):
    total: int
    active: int


class TaskCounts(TypedDict):
    total: int
    pending: int
    running: int
    paused: int
    completed: int
    failed: int
    stopped: int


class Usage(TypedDict):
    cpu_usage: float
    ram_usage: float
    gpu_usage: float


class SystemMetrics(TypedDict):
    clients: ClientCounts
    tasks: TaskCounts
    resources: Usage
    timestamp: str


class Point(TypedDict):
    progress: float
    metrics: dict[str, Any]
    rank: int
    timestamp: str


class TaskMetrics(TypedDict):
    progress: float
    metrics: dict[str, Any]
    resources: Usage
    timestamp: str
    history: NotRequired[list[Point]]


class ErrorBody(TypedDict):
    code: str
    message: str
    details: dict[str, str | int]


class ErrorAnswer(TypedDict):
    error: ErrorBody
