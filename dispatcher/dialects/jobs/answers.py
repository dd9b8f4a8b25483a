"""Answers of the job queue. Times are ISO 8601 in UTC, whole seconds."""

from typing import Literal, NotRequired

from typing_extensions import TypedDict

JobStatus = Literal["pending", "running", "completed", "failed", "cancelled"]
AttemptStatus = Literal["running", "completed", "failed", "lost"]


class SubmittedJob(TypedDict):
    id: str
    type: str
    status: JobStatus
    created_at: str


class BulkJob(TypedDict):
    id: str
    status: JobStatus


class ListedJob(TypedDict):
    id: str
    type: str
    status: JobStatus
    priority: str
    executor_id: str | None
    created_at: str
    started_at: str | None


class AttemptAnswer(TypedDict):
    executor_id: str | None
    executor_ip: str | None
    started_at: str
    ended_at: str | None
    status: AttemptStatus


class JobDetails(TypedDict):
    id: str
    type: str
    binary_url: str
    binary_sha256: str
    arguments: list[str]
    env_variables: dict[str, str]
    priority: str
    status: JobStatus
    executor_id: str | None
    stdout: str
    stderr: str
    exit_code: int | None
    created_at: str
    started_at: str | None
    completed_at: str | None
    attempts: list[AttemptAnswer]
    attempt: int
    error_message: str | None
    stdout_truncated: bool
    stderr_truncated: bool


class CancelError(TypedDict):
    job_id: str
    error: str


class CancelledJobs(TypedDict):
    cancelled: int
    failed: int
    errors: list[CancelError]


class JobsByStatus(TypedDict):
    pending: int
    running: int
    completed: int
    failed: int
    cancelled: int


class PendingByPriority(TypedDict):
    foreground: int
    background: int
    best_effort: int


class Statistics(TypedDict):
    jobs_by_status: JobsByStatus
    pending_by_priority: PendingByPriority
    active_executors: int


class Executor(TypedDict):
    executor_id: str
    current_job_id: str | None
    job_type: str | None
    last_heartbeat: str
    jobs_completed: int
    current_job_ids: list[str]


class HealthAnswer(TypedDict):
    status: Literal["healthy", "unhealthy"]
    database: Literal["connected", "disconnected"]


class ErrorAnswer(TypedDict):
    error: str
    context: dict[str, str | int]
    code: NotRequired[str]
    requestId: NotRequired[str]
