"""What the API answers, typed. Attributes are snake_case, the wire is camelCase; fields unknown here are ignored, and
fields that an older gateway does not send have a default. Every time is epoch milliseconds, every duration says its
unit, every rate is a fraction from 0 to 1."""

from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

T = TypeVar("T")
TERMINAL = frozenset({"COMPLETED", "FAILED", "TIMEOUT", "CANCELLED"})


class Model(BaseModel):
    """The shared rules: camelCase aliases, unknown fields ignored, immutable."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True)


class Attempt(Model):
    """One execution of a task on one server."""

    attempt: int
    server_id: str
    status: str
    started_at: int
    ended_at: int | None = None
    error: str | None = None


class Task(Model):
    """A task. `status` is PENDING, PROCESSING, COMPLETED, FAILED, TIMEOUT or CANCELLED; `state` is the finer word.

    `progress` is a percentage, `timeout` seconds per attempt; `error` and `error_code` are None unless the task failed.
    `attempt` numbers the current or last execution, `retry_count` counts explicit retries, `failures` failed attempts.
    """

    id: str
    status: str
    state: str | None = None
    type: str | None = None
    priority: int | None = None
    capabilities: list[str] = Field(default_factory=list)
    group: str | None = None
    progress: int | float | None = None
    server_id: str | None = None
    attempt: int | None = None
    result: Any = None
    error: Any = None
    error_code: str | None = None
    failures: int = 0
    retry_count: int = 0
    attempts: list[Attempt] = Field(default_factory=list)
    timeout: float | None = None
    created_at: int | None = None
    updated_at: int | None = None
    started_at: int | None = None
    completed_at: int | None = None
    run_at: int | None = None
    retry_at: int | None = None
    deadline: int | None = None
    resources: dict[str, float] | None = None
    kind: str = "predict"
    model: str | None = None

    @property
    def ended(self) -> bool:
        """Whether the task has reached a state that it leaves only by an explicit retry, if at all."""
        return self.status in TERMINAL


class TaskAck(Model):
    """The answer to a change of a task."""

    message: str
    task_id: str
    status: str | None = None


class Server(Model):
    """A registered server. `uptime` is milliseconds since registration, `priority` its weight in balancing."""

    id: str
    name: str
    status: str
    registered_at: int | None = None
    last_heartbeat: int | None = None
    uptime: int | None = None
    time_since_last_heartbeat: int | None = None
    groups: list[str] = Field(default_factory=list)
    capabilities: list[str] = Field(default_factory=list)
    priority: int | float = 1
    max_concurrent: int | None = None
    active_tasks: int | None = None
    transport: str = "push"
    endpoints: dict[str, str] = Field(default_factory=dict)
    maintenance: bool = False
    maintenance_reason: str | None = None
    resources: dict[str, float] | None = None
    allocated: dict[str, float] | None = None
    kinds: list[str] = Field(default_factory=lambda: ["predict"])


class ServerAck(Model):
    """The answer to a registration or a change of a server. `server_token` is a secret, valid for this server only."""

    server_id: str
    message: str | None = None
    status: str | None = None
    server_token: str | None = Field(default=None, repr=False)


class ClaimedTask(Model):
    """A task that a server has claimed, to be done until `deadline` (epoch ms).

    It is the server's for `lease` seconds after its claim, a heartbeat or a report. `callback_token` is a secret: it
    speaks for this attempt.
    """

    task_id: str
    type: str
    priority: int | float | None = None
    payload: Any = Field(default=None, repr=False)
    capabilities: list[str] = Field(default_factory=list)
    attempt: int
    callback_url: str
    callback_token: str = Field(repr=False)
    deadline: int | None = None
    lease: float | None = None
    traceparent: str | None = None
    kind: str = "predict"
    resources: dict[str, float] | None = None


class ServerFigures(Model):
    """Counters of one server since its registration; `average_processing_time` in ms, `current_load` a fraction.

    `reported` is what the server said of itself in its last heartbeat.
    """

    uptime: int
    tasks_processed: int
    success_count: int
    failure_count: int
    average_processing_time: int | float
    current_load: float
    reported: dict[str, Any] = Field(default_factory=dict)
    resources: dict[str, float] | None = None
    allocated: dict[str, float] | None = None


class ServerMetrics(Model):
    """Detailed metrics of one server."""

    server_id: str
    metrics: ServerFigures


class TopServer(Model):
    """One of the busiest servers of the day."""

    server_id: str
    tasks_processed: int
    success_rate: float


class HourlyTasks(Model):
    """Tasks created in one hour of the day, UTC."""

    hour: int
    tasks: int


class Processed(Model):
    """What ended without ever having had a server."""

    tasks_processed: int
    success_rate: float


class TaskStats(Model):
    """One day (`YYYY-MM-DD`, UTC) of tasks; `average_processing_time` in ms."""

    date: str | None = None
    total_tasks: int
    pending_tasks: int
    successful_tasks: int
    failed_tasks: int
    retried_tasks: int
    processing_tasks: int = 0
    cancelled_tasks: int = 0
    average_processing_time: int | float
    server_count: int
    top_servers: list[TopServer] = Field(default_factory=list)
    without_server: Processed | None = None
    hourly_trend: list[HourlyTasks] = Field(default_factory=list)


class Hour(Model):
    """One hour of the day, UTC; `average_time` in ms."""

    hour: int
    created: int
    completed: int
    failed: int
    average_time: int | float


class HourlyReport(Model):
    """One day (`YYYY-MM-DD`, UTC) hour by hour."""

    date: str
    hours: list[Hour]


class ServerStats(Model):
    """One day of one server, UTC; `average_processing_time` in ms, `uptime` a fraction."""

    server_id: str
    date: str | None = None
    tasks_processed: int
    success_count: int
    failure_count: int
    success_rate: float
    average_processing_time: int | float
    uptime: float


class ServerLoad(Model):
    """One server's share of the load."""

    load: float
    active_tasks: int
    weight: int | float


class LoadBalancerStatus(Model):
    """The algorithm in force and how the load lies."""

    algorithm: str
    server_distribution: dict[str, ServerLoad] = Field(default_factory=dict)
    total_active_tasks: int
    average_load: float


class AlgorithmAck(Model):
    """The answer to a change of the algorithm."""

    message: str
    algorithm: str


class Page(Model, Generic[T]):
    """One page of a listing; `total` is None when the gateway gave everything at once."""

    items: list[T]
    total: int | None = None
    offset: int = 0

    @property
    def next_offset(self) -> int | None:
        """Where the following page starts, None when this is the last one."""
        end = self.offset + len(self.items)
        return end if self.items and self.total is not None and end < self.total else None
