"""Answers of the cluster. Times are ISO 8601 in UTC, whole seconds; durations and sizes are texts (`units.py`);
utilization, memory in percent and `success_rate` are percentages, `error_rate` is a fraction."""

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

TaskStatus = Literal["queued", "running", "completed", "failed", "cancelled"]
WorkerStatus = Literal["online", "offline", "busy", "error"]
ModelStatus = Literal["assigned", "queued", "loading", "loaded", "unloading", "failed"]


class HealthAnswer(TypedDict):
    status: Literal["healthy"]
    timestamp: str
    version: str


class ClusterStatus(TypedDict):
    cluster_id: str
    status: Literal["operational", "degraded", "down"]
    total_workers: int
    active_workers: int
    queued_tasks: int
    running_tasks: int
    gpu_utilization: float
    total_memory: str
    available_memory: str
    uptime: str


class Gpu(TypedDict):
    """What a worker does not tell is null."""

    model: str | None
    memory_total: str | None
    memory_used: str | None
    temperature: float | None
    utilization: float | None


class GpuInfo(Gpu):
    """The first GPU's model, all memory, the highest temperature, the mean utilization; and each one by itself."""

    gpus: list[Gpu]


class GpuDetails(GpuInfo):
    driver_version: str | None


class ListedWorker(TypedDict):
    worker_id: str
    status: WorkerStatus
    gpu_info: GpuInfo
    loaded_models: list[str]
    current_tasks: int
    last_heartbeat: str
    performance_score: float
    name: str


class WorkerList(TypedDict):
    workers: list[ListedWorker]
    total: int
    online: int
    offline: int


class SystemInfo(TypedDict):
    cpu: str | None
    ram_total: str | None
    ram_used: str | None
    os: str | None


class LoadedModel(TypedDict):
    name: str
    memory_usage: str
    load_time: str | None
    last_used: str | None


class TaskHistory(TypedDict):
    completed_today: int
    average_duration: str
    success_rate: float


class WorkerMetrics(TypedDict):
    tasks_per_hour: float
    average_response_time: str
    error_rate: float


class WorkerDetails(TypedDict):
    worker_id: str
    status: WorkerStatus
    gpu_info: GpuDetails
    system_info: SystemInfo
    loaded_models: list[LoadedModel]
    task_history: TaskHistory
    metrics: WorkerMetrics
    name: str


class RestartAnswer(TypedDict):
    message: Literal["Worker restart initiated"]
    worker_id: str
    estimated_downtime: str
    operation_id: str


class SubmittedTask(TypedDict):
    task_id: str
    status: TaskStatus
    estimated_wait_time: str
    assigned_worker: str | None
    created_at: str


class TaskDetails(TypedDict):
    """`result` is the JSON that the worker answered, as it came."""

    task_id: str
    status: TaskStatus
    assigned_worker: str | None
    created_at: str
    started_at: str | None
    completed_at: str | None
    duration: str | None
    task_type: str
    model_name: str | None
    priority: str
    error: NotRequired[str]
    result: Any


class ListedTask(TypedDict):
    task_id: str
    status: TaskStatus
    task_type: str
    assigned_worker: str | None
    duration: str | None
    created_at: str


class TaskList(TypedDict):
    tasks: list[ListedTask]
    total: int
    limit: int
    offset: int


class CancelledTask(TypedDict):
    message: Literal["Task cancelled"]
    task_id: str
    status: Literal["cancelled"]


class Assignment(TypedDict):
    worker_id: str
    status: ModelStatus
    estimated_time: str


class AssignAnswer(TypedDict):
    assignment_id: str
    model_name: str
    assignments: list[Assignment]


class UnloadAnswer(TypedDict):
    message: Literal["Model unload initiated"]
    model_name: str
    affected_workers: list[str]
    operation_id: str


class PlacedModel(TypedDict):
    name: str
    status: ModelStatus
    memory_usage: str
    load_time: str | None
    error: NotRequired[str]


class WorkerModels(TypedDict):
    worker_id: str
    models: list[PlacedModel]


class AssignmentList(TypedDict):
    assignments: list[WorkerModels]


class Migration(TypedDict):
    type: Literal["model_migration"]
    from_worker: str
    to_worker: str
    model: str


class RebalanceAnswer(TypedDict):
    rebalance_id: str
    status: Literal["initiated", "planned", "completed"]
    estimated_duration: str
    affected_workers: list[str]
    operations: list[Migration]


class Percentages(TypedDict):
    average: float
    peak: float
    minimum: float


class MemoryUsage(TypedDict):
    average: str
    peak: str
    efficiency: float


class Figures(TypedDict):
    total_tasks: int
    successful_tasks: int
    failed_tasks: int
    success_rate: float
    average_response_time: str
    peak_throughput: str
    gpu_utilization: Percentages
    memory_usage: MemoryUsage


class MetricsAnswer(TypedDict):
    timeframe: Literal["1h", "24h", "7d", "30d"]
    metrics: Figures


class ErrorAnswer(TypedDict):
    error: str
    message: str
    code: int
    reason: str
    requestId: str
    field: NotRequired[str]
