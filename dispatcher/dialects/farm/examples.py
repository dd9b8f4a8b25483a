"""Examples of the AI Farm document, for OpenAPI."""

from dispatcher.dialects.operation import Example

_NOW = "2024-11-04T12:00:00Z"
_TASK_PATH = {"id": "550e8400-e29b-41d4-a716-446655440000"}
_ID = _TASK_PATH["id"]
_CONFIG = {"name": "model_name", "batch_size": 32, "learning_rate": 0.001, "epochs": 10, "distributed": True}
_REQUIREMENTS = {"min_gpu_memory": 4096, "min_cpu_cores": 4, "min_ram": 8192}
_METRICS = {"loss": 0.0023, "accuracy": 0.982, "learning_rate": 0.001}
_USAGE = {"cpu_usage": 45.2, "ram_usage": 60.5, "gpu_usage": 80.0}
_LISTED = {
    "id": _ID,
    "type": "training",
    "status": "running",
    "progress": 45.5,
    "created_at": _NOW,
    "updated_at": _NOW,
}

LIST_TASKS = Example({"tasks": [_LISTED], "total": 1, "page": 1})
CREATE = Example(
    {"id": _ID, "status": "pending", "created_at": _NOW},
    {"type": "training", **_CONFIG, "requirements": _REQUIREMENTS, "n_clients": 3},
)
GET_TASK = Example(
    {
        **_LISTED,
        "metrics": _METRICS,
        "config": _CONFIG,
        "requirements": _REQUIREMENTS,
        "n_clients": 3,
        "attempt": 1,
        "reason": None,
        "checkpoint_path": None,
        "error": None,
    },
    path=_TASK_PATH,
)
UPDATE = Example(
    {"id": _ID, "status": "paused", "updated_at": _NOW}, {"status": "paused", "reason": "user_request"}, _TASK_PATH
)
DELETE = Example(None, path=_TASK_PATH)
LIST_CLIENTS = Example(
    {
        "clients": [
            {
                "id": "client_uuid",
                "status": "active",
                "resources": {
                    "cpu": {"cores": 8, "usage": 45.2},
                    "ram": {"total": 16384, "used": 8192},
                    "gpu": {"count": 1, "memory": {"total": 10240, "used": 3072}},
                },
                "last_seen": _NOW,
            }
        ]
    }
)
GET_CLIENT = Example(
    {
        "id": "client_uuid",
        "status": "active",
        "resources": {
            "cpu": {"cores": 8, "usage": 45.2},
            "ram": {"total": 16384, "used": 8192},
            "gpu": [{"id": 0, "name": "NVIDIA RTX 3080", "memory": {"total": 10240, "used": 3072}}],
        },
        "tasks": [{"id": _ID, "status": "running", "progress": 45.5}],
        "performance": {"completed_tasks": 10, "average_time": 3600.0, "success_rate": 0.95},
        "last_seen": _NOW,
    },
    path={"id": "client_uuid"},
)
SYSTEM = Example(
    {
        "clients": {"total": 10, "active": 8},
        "tasks": {
            "total": 100,
            "pending": 4,
            "running": 5,
            "paused": 1,
            "completed": 85,
            "failed": 4,
            "stopped": 1,
        },
        "resources": _USAGE,
        "timestamp": _NOW,
    }
)
TASK_METRICS = Example({"progress": 45.5, "metrics": _METRICS, "resources": _USAGE, "timestamp": _NOW}, path=_TASK_PATH)
