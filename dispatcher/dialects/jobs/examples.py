"""Examples of the job queue's document, for OpenAPI. Only hashes that the document elides are written out."""

from dispatcher.dialects.operation import Example

_PATH = {"id": "550e8400-e29b-41d4-a716-446655440000"}
_TIMES = {"created_at": "2024-01-01T12:00:00Z", "started_at": "2024-01-01T12:01:00Z"}
_JOB = {
    "type": "data-processing",
    "binary_url": "https://example.com/binary",
    "binary_sha256": "abc123" + "0" * 58,
    "arguments": ["arg1", "arg2"],
    "env_variables": {"KEY1": "value1"},
    "priority": "background",
}
_ATTEMPT = {
    "executor_id": "worker-1-abc123",
    "executor_ip": "192.168.1.100",
    "started_at": "2024-01-01T12:01:00Z",
    "ended_at": None,
    "status": "running",
}
_RUNNING = {
    "id": _PATH["id"],
    **_JOB,
    "status": "running",
    "executor_id": "worker-1-abc123",
    "stdout": "",
    "stderr": "",
    "exit_code": None,
    **_TIMES,
    "completed_at": None,
    "attempts": [_ATTEMPT],
    "attempt": 1,
    "error_message": None,
    "stdout_truncated": False,
    "stderr_truncated": False,
}
_ENDED_AT = "2024-01-01T12:02:00Z"
_COMPLETED = _RUNNING | {
    "status": "completed",
    "stdout": "Job output...",
    "exit_code": 0,
    "completed_at": _ENDED_AT,
    "attempts": [_ATTEMPT | {"ended_at": _ENDED_AT, "status": "completed"}],
}
_FAILED = _RUNNING | {
    "status": "failed",
    "stdout": "Partial output...",
    "stderr": "Error messages...",
    "exit_code": 1,
    "completed_at": _ENDED_AT,
    "attempts": [_ATTEMPT | {"ended_at": _ENDED_AT, "status": "failed"}],
    "error_message": "Binary execution failed",
}
_CANCELLED = _RUNNING | {
    "status": "cancelled",
    "executor_id": None,
    "started_at": None,
    "completed_at": "2024-01-01T12:00:30Z",
    "attempts": [],
    "attempt": 0,
}
_SAYS = {"executor_id": "worker-1-abc123"}

HEALTH = Example({"status": "healthy", "database": "connected"})
METRICS = Example(
    "# HELP dispatcher_executors_active Executors heard of within the lease time.\n"
    "# TYPE dispatcher_executors_active gauge\n"
    "dispatcher_executors_active 2\n"
)
SUBMIT = Example(
    {
        "id": _PATH["id"],
        "type": "data-processing",
        "status": "pending",
        "created_at": "2024-01-01T12:00:00Z",
    },
    _JOB,
)
LIST = Example(
    [
        {
            "id": _PATH["id"],
            "type": "data-processing",
            "status": "running",
            "priority": "background",
            "executor_id": "worker-1-abc123",
            **_TIMES,
        }
    ]
)
GET = Example(_COMPLETED, path=_PATH)
CANCEL = Example(_CANCELLED, path=_PATH)
BULK_SUBMIT = Example([{"id": _PATH["id"], "status": "pending"}], [_JOB])
BULK_CANCEL = Example({"cancelled": 1, "failed": 0, "errors": []}, {"job_ids": [_PATH["id"]]})
CLAIM = Example(_RUNNING, {**_SAYS, "executor_ip": "192.168.1.100"})
HEARTBEAT = Example(_RUNNING, _SAYS, _PATH)
COMPLETE = Example(_COMPLETED, {**_SAYS, "stdout": "Job output...", "stderr": "", "exit_code": 0}, _PATH)
FAIL = Example(
    _FAILED,
    {
        **_SAYS,
        "stdout": "Partial output...",
        "stderr": "Error messages...",
        "exit_code": 1,
        "error_message": "Binary execution failed",
    },
    _PATH,
)
STATS = Example(
    {
        "jobs_by_status": {"pending": 10, "running": 5, "completed": 100, "failed": 3, "cancelled": 2},
        "pending_by_priority": {"foreground": 2, "background": 5, "best_effort": 3},
        "active_executors": 5,
    }
)
EXECUTORS = Example(
    [
        {
            "executor_id": "worker-1-abc123",
            "current_job_id": _PATH["id"],
            "job_type": "data-processing",
            "last_heartbeat": "2024-01-01T12:01:30Z",
            "jobs_completed": 10,
            "current_job_ids": [_PATH["id"]],
        }
    ]
)
