"""Answers about workers. Usage is in percent; resources are cores, GPUs, and GB of 2**30 bytes."""

from typing_extensions import TypedDict

from dispatcher.dialects.cloudai.answers import TaskStatus


class Amounts(TypedDict):
    cpu: float
    memory: float
    storage: float
    gpu: float


class TaskInfo(TypedDict):
    task_id: str
    cpu_allocated: float
    memory_allocated: float
    gpu_allocated: float
    status: TaskStatus


class Telemetry(TypedDict):
    worker_id: str
    is_active: bool
    cpu_usage: float
    memory_usage: float
    gpu_usage: float
    running_tasks: list[TaskInfo]
    last_update: int


class FleetTelemetry(TypedDict):
    workers: dict[str, Telemetry]


class StreamedTelemetry(Telemetry):
    total_resources: Amounts
    allocated_resources: Amounts
    available_resources: Amounts


class WorkerInfo(TypedDict):
    worker_id: str
    worker_ip: str
    total_cpu: float
    total_memory: float
    total_storage: float
    total_gpu: float
    registered_at: int
    last_heartbeat: int


class WorkerDetails(Telemetry):
    worker_info: WorkerInfo


class ListedWorker(TypedDict):
    worker_id: str
    address: str
    worker_ip: str
    is_active: bool
    total_resources: Amounts
    allocated_resources: Amounts
    available_resources: Amounts
    last_heartbeat: int
    registered_at: int
    cpu_usage: float
    memory_usage: float
    gpu_usage: float
    running_tasks_count: int


class WorkerList(TypedDict):
    workers: list[ListedWorker]


class WorkerBrief(TypedDict):
    worker_id: str
    worker_ip: str
    is_active: bool


class RegisteredWorker(TypedDict):
    """`server_id` and `server_token` are for its agent."""

    success: bool
    message: str
    worker_id: str
    worker: WorkerBrief
    server_id: str
    server_token: str


class AssignedTask(TypedDict):
    task_id: str
    assigned_at: int


class WorkerTasks(TypedDict):
    worker_id: str
    tasks: list[AssignedTask]
    count: int
