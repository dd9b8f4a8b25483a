"""Examples of the CloudAI document, for OpenAPI."""

from typing import Any

from dispatcher.dialects.cloudai.worker_routes import REGISTERED
from dispatcher.dialects.operation import Example

_TASK, _WORKER = {"id": "task-123"}, {"id": "worker-1"}
_ADDRESS = "192.168.1.100:50052"
_LOAD: dict[str, Any] = {
    "worker_id": "worker-1",
    "is_active": True,
    "cpu_usage": 45.2,
    "memory_usage": 60.5,
    "gpu_usage": 20.0,
    "running_tasks": [],
    "last_update": 1700000000,
}
_LISTED_WORKER = {
    "worker_id": "worker-1",
    "address": _ADDRESS,
    "worker_ip": _ADDRESS,
    "is_active": True,
    "total_resources": {"cpu": 8.0, "memory": 16.0, "storage": 100.0, "gpu": 2.0},
    "allocated_resources": {"cpu": 2.0, "memory": 4.0, "storage": 10.0, "gpu": 0.0},
    "available_resources": {"cpu": 6.0, "memory": 12.0, "storage": 90.0, "gpu": 2.0},
    "last_heartbeat": 1700000000,
    "registered_at": 1699000000,
    "cpu_usage": 45.2,
    "memory_usage": 60.5,
    "gpu_usage": 20.0,
    "running_tasks_count": 2,
}
_ASKED: dict[str, Any] = {
    "docker_image": "nginx:latest",
    "cpu_required": 1.0,
    "memory_required": 2.0,
    "storage_required": 5.0,
    "gpu_required": 0.0,
    "user_id": "admin",
    "tag": "web-server",
    "k_value": 1.8,
}
_RUNNING = {
    "task_id": "task-123",
    "status": "running",
    **_ASKED,
    "submitted_at": 1700000000,
    "assigned_at": 1700000010,
    "started_at": 1700000010,
    "completed_at": 0,
    "assigned_worker": "worker-1",
}
_COMPLETED = _RUNNING | {
    "status": "completed", "completed_at": 1700000100, "command": "", "attempt": 1, "error": "", "retry_of": "",
}  # fmt: skip
_BRIEF = {
    "task_id": "task-1700000000",
    "docker_image": "nginx:latest",
    "status": "pending",
    "tag": "web-server",
    "k_value": 1.8,
}
_FILE: dict[str, Any] = {
    "file_id": "file-123",
    "file_name": "output.txt",
    "file_path": "results/output.txt",
    "file_size": 1024,
    "uploaded_at": 1700000000,
}


def _done(message: str, path: dict[str, str]) -> Example:
    return Example({"success": True, "message": message}, path=path)


HEALTH = Example({"status": "ok"})
LOADS = Example({"workers": {"worker-1": _LOAD}})
LOAD = Example(_LOAD, path=_WORKER)
WORKERS = Example({"workers": [_LISTED_WORKER]})
REGISTER = Example(
    {
        "success": True,
        "message": REGISTERED,
        "worker_id": "worker-1",
        "worker": {"worker_id": "worker-1", "worker_ip": _ADDRESS, "is_active": False},
        "server_id": "worker_5d41402abc4b2a76b9719d911017c592",
        "server_token": "eyJhbGciOiJIUzI1NiJ9...",
    },
    {"worker_id": "worker-1", "worker_ip": _ADDRESS},
)
WORKER = Example(
    _LOAD
    | {
        "running_tasks": [
            {
                "task_id": "task-123",
                "cpu_allocated": 1.0,
                "memory_allocated": 2.0,
                "gpu_allocated": 0.0,
                "status": "running",
            }
        ],
        "worker_info": {
            "worker_id": "worker-1",
            "worker_ip": _ADDRESS,
            "total_cpu": 8.0,
            "total_memory": 16.0,
            "total_storage": 100.0,
            "total_gpu": 2.0,
            "registered_at": 1699000000,
            "last_heartbeat": 1700000000,
        },
    },
    path=_WORKER,
)
UNREGISTER = _done("Worker worker-1 removed successfully", _WORKER)
WORKER_TASKS = Example(
    {"worker_id": "worker-1", "tasks": [{"task_id": "task-123", "assigned_at": 1700000000}], "count": 1}, path=_WORKER
)
TASKS = Example({"tasks": [_RUNNING]})
SUBMIT = Example(
    {"success": True, "message": "Task submitted successfully", "task_id": _BRIEF["task_id"], "task": _BRIEF},
    {**_ASKED, "command": ""},
)
TASK = Example(_COMPLETED, path=_TASK)
CANCEL = _done("Task task-123 cancelled successfully", _TASK)
LOGS = Example(
    {
        "task_id": "task-123",
        "logs": "Container started\nRunning nginx\nContainer stopped\n",
        "status": "completed",
        "completed_at": 1700000100,
    },
    path=_TASK,
)
RETRY = Example(
    {
        "success": True,
        "message": "Task retry initiated",
        "new_task_id": "task-1700000200",
        "original_task_id": "task-123",
    },
    path=_TASK,
)
FILES = Example({"user_id": "admin", "files": [{**_FILE, "task_id": "task-123"}], "count": 1})
TASK_FILES = Example(
    {"task_id": "task-123", "user_id": "admin", "files": [{**_FILE, "content_type": "text/plain"}]}, path=_TASK
)
DOWNLOAD = Example(None, path=_TASK)
DELETE_FILES = _done("All files for task task-123 deleted successfully", _TASK)
