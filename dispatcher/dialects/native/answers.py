"""Answers of the native API. Times are epoch milliseconds, durations milliseconds, rates fractions 0..1."""

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

TaskStatus = Literal["PENDING", "PROCESSING", "COMPLETED", "FAILED", "TIMEOUT", "CANCELLED"]
TaskStateWord = Literal[
    "SCHEDULED", "PENDING", "PROCESSING", "RETRYING", "PAUSED", "COMPLETED", "FAILED", "TIMEOUT", "CANCELLED"
]
StatusWord = Literal["online", "offline", "maintenance", "degraded"]
TransportWord = Literal["push", "pull", "socket"]


class ResourcesAnswer(TypedDict):
    """Amounts: cores, GPUs, and MB of 2**20 bytes; what is missing is nothing."""

    cpu: NotRequired[float]
    memoryMB: NotRequired[float]
    storageMB: NotRequired[float]
    gpu: NotRequired[float]
    gpuMemoryMB: NotRequired[float]


class AttemptAnswer(TypedDict):
    attempt: int
    serverId: str
    status: str
    startedAt: int
    endedAt: int | None
    error: NotRequired[str]


class TaskAnswer(TypedDict):
    """A task; also what `/ws` sends. `status` is the documented word, `state` the finer one."""

    id: str
    status: TaskStatus
    state: TaskStateWord
    type: str
    priority: int
    capabilities: list[str]
    kind: NotRequired[str]
    group: NotRequired[str]
    model: NotRequired[str]
    resources: NotRequired[ResourcesAnswer]
    progress: float
    serverId: str | None
    attempt: int
    failures: int
    retryCount: int
    timeout: float
    createdAt: int
    updatedAt: int
    startedAt: NotRequired[int]
    completedAt: NotRequired[int]
    runAt: NotRequired[int]
    retryAt: NotRequired[int]
    deadline: NotRequired[int]
    result: NotRequired[Any]
    error: NotRequired[str]
    errorCode: NotRequired[str]
    attempts: NotRequired[list[AttemptAnswer]]


class CreatedAnswer(TypedDict):
    """The task as created; with a wait, all of the task."""

    id: str
    status: TaskStatus
    state: TaskStateWord
    type: str
    priority: int
    capabilities: list[str]
    createdAt: int
    updatedAt: int


class TaskMessage(TypedDict):
    message: str
    taskId: str


class UpdatedAnswer(TaskAnswer):
    message: str
    taskId: str


class TaskListAnswer(TypedDict):
    tasks: list[TaskAnswer]
    total: int
    limit: int
    offset: int


class EndpointsAnswer(TypedDict):
    predict: NotRequired[str]
    health: NotRequired[str]
    metrics: NotRequired[str]
    cancel: NotRequired[str]


class ServerAnswer(TypedDict):
    id: str
    name: str
    status: StatusWord
    registeredAt: int
    lastHeartbeat: int
    uptime: int
    timeSinceLastHeartbeat: int
    groups: list[str]
    priority: int
    capabilities: list[str]
    maxConcurrent: int
    activeTasks: int
    transport: TransportWord
    endpoints: EndpointsAnswer
    maintenance: bool
    maintenanceReason: NotRequired[str]
    kinds: NotRequired[list[str]]
    resources: NotRequired[ResourcesAnswer]
    allocated: NotRequired[ResourcesAnswer]


class ServerListAnswer(TypedDict):
    servers: list[ServerAnswer]
    total: int


class RegisteredAnswer(TypedDict):
    serverId: str
    message: str
    serverToken: str


class ServerMessage(TypedDict):
    message: str
    serverId: str


class ServerStatusAnswer(TypedDict):
    message: str
    serverId: str
    status: StatusWord
    serverToken: NotRequired[str]


class ClaimAnswer(TypedDict):
    """A task to be done: what a predict call brings, and for how many seconds it is the server's (`lease`)."""

    taskId: str
    type: str
    priority: float
    payload: Any
    capabilities: list[str]
    attempt: int
    callbackUrl: str
    callbackToken: str
    deadline: int
    lease: float
    traceparent: NotRequired[str]
    kind: NotRequired[str]
    resources: NotRequired[ResourcesAnswer]


class MetricsFields(TypedDict):
    uptime: int
    tasksProcessed: int
    successCount: int
    failureCount: int
    averageProcessingTime: int
    currentLoad: float
    reported: dict[str, Any]
    resources: NotRequired[ResourcesAnswer]
    allocated: NotRequired[ResourcesAnswer]


class MetricsAnswer(TypedDict):
    serverId: str
    metrics: MetricsFields


class TopServer(TypedDict):
    serverId: str
    tasksProcessed: int
    successRate: float


class HourTasks(TypedDict):
    hour: int
    tasks: int


class Processed(TypedDict):
    tasksProcessed: int
    successRate: float


class TaskStatsAnswer(TypedDict):
    date: str
    totalTasks: int
    pendingTasks: int
    processingTasks: int
    successfulTasks: int
    failedTasks: int
    cancelledTasks: int
    retriedTasks: int
    averageProcessingTime: int
    serverCount: int
    topServers: list[TopServer]
    withoutServer: Processed
    hourlyTrend: list[HourTasks]


class HourAnswer(TypedDict):
    hour: int
    created: int
    completed: int
    failed: int
    averageTime: int


class HourlyAnswer(TypedDict):
    date: str
    hours: list[HourAnswer]


class ServerStatsAnswer(TypedDict):
    serverId: str
    date: str
    tasksProcessed: int
    successCount: int
    failureCount: int
    successRate: float
    averageProcessingTime: int
    uptime: float


class ServerLoadAnswer(TypedDict):
    load: float
    activeTasks: int
    weight: int


class BalancerAnswer(TypedDict):
    algorithm: str
    serverDistribution: dict[str, ServerLoadAnswer]
    totalActiveTasks: int
    averageLoad: float


class AlgorithmAnswer(TypedDict):
    message: str
    algorithm: str
