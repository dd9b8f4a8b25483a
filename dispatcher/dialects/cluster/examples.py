"""Examples of the Cluster Manager document, for OpenAPI."""

from dispatcher.dialects.operation import Example

_NOW = "2025-05-30T10:00:00Z"
_MODEL, _WORKER, _TASK = "llama-2-7b", "worker-001", "task-12345"
_OF_WORKER, _OF_TASK = {"id": _WORKER}, {"id": _TASK}
_OPERATION = "op_abc123"
_GPU = {
    "model": "AMD Radeon RX 7900 XTX",
    "memory_total": "24GB",
    "memory_used": "8GB",
    "temperature": 65.0,
    "utilization": 75.5,
}
_GPU_INFO = {**_GPU, "gpus": [_GPU]}
_LISTED = {
    "task_id": _TASK,
    "status": "completed",
    "task_type": "text_generation",
    "assigned_worker": _WORKER,
    "duration": "3.2s",
    "created_at": _NOW,
}

HEALTH = Example({"status": "healthy", "timestamp": _NOW, "version": "1.0.0"})
STATUS = Example(
    {
        "cluster_id": "biting-lip-cluster",
        "status": "degraded",
        "total_workers": 5,
        "active_workers": 4,
        "queued_tasks": 12,
        "running_tasks": 8,
        "gpu_utilization": 65.5,
        "total_memory": "40GB",
        "available_memory": "14GB",
        "uptime": "7d 4h 23m",
    }
)
LIST_WORKERS = Example(
    {
        "workers": [
            {
                "worker_id": _WORKER,
                "status": "online",
                "gpu_info": _GPU_INFO,
                "loaded_models": [_MODEL, "stable-diffusion-xl"],
                "current_tasks": 2,
                "last_heartbeat": _NOW,
                "performance_score": 8.5,
                "name": "gpu-1",
            }
        ],
        "total": 5,
        "online": 4,
        "offline": 1,
    }
)
GET_WORKER = Example(
    {
        "worker_id": _WORKER,
        "status": "online",
        "gpu_info": {**_GPU_INFO, "driver_version": "ROCm 5.7.0"},
        "system_info": {
            "cpu": "AMD Ryzen 9 7950X",
            "ram_total": "64GB",
            "ram_used": "12GB",
            "os": "Ubuntu 22.04",
        },
        "loaded_models": [
            {"name": _MODEL, "memory_usage": "6.5GB", "load_time": "45s", "last_used": "2025-05-30T09:55:00Z"}
        ],
        "task_history": {"completed_today": 45, "average_duration": "2.3s", "success_rate": 98.5},
        "metrics": {"tasks_per_hour": 120.0, "average_response_time": "1.8s", "error_rate": 0.02},
        "name": "gpu-1",
    },
    path=_OF_WORKER,
)
RESTART = Example(
    {
        "message": "Worker restart initiated",
        "worker_id": _WORKER,
        "estimated_downtime": "30s",
        "operation_id": _OPERATION,
    },
    path=_OF_WORKER,
)
SUBMIT = Example(
    {
        "task_id": _TASK,
        "status": "queued",
        "estimated_wait_time": "15s",
        "assigned_worker": None,
        "created_at": _NOW,
    },
    {
        "task_type": "text_generation",
        "model_name": _MODEL,
        "parameters": {"prompt": "Explain quantum computing", "max_tokens": 512, "temperature": 0.7},
        "priority": "normal",
        "timeout": 300.0,
    },
)
LIST_TASKS = Example({"tasks": [_LISTED], "total": 1250, "limit": 50, "offset": 0})
GET_TASK = Example(
    {
        **_LISTED,
        "started_at": "2025-05-30T10:00:15Z",
        "completed_at": "2025-05-30T10:00:18Z",
        "model_name": _MODEL,
        "priority": "normal",
        "result": {"generated_text": "Quantum computing is a revolutionary...", "tokens_generated": 324},
    },
    path=_OF_TASK,
)
CANCEL = Example({"message": "Task cancelled", "task_id": _TASK, "status": "cancelled"}, path=_OF_TASK)
ASSIGN = Example(
    {
        "assignment_id": _OPERATION,
        "model_name": _MODEL,
        "assignments": [
            {"worker_id": _WORKER, "status": "loading", "estimated_time": "45s"},
            {"worker_id": "worker-002", "status": "queued", "estimated_time": "90s"},
        ],
    },
    {"model_name": _MODEL, "worker_ids": [_WORKER, "worker-002"], "preload": True, "priority": "high"},
)
UNLOAD = Example(
    {
        "message": "Model unload initiated",
        "model_name": _MODEL,
        "affected_workers": [_WORKER],
        "operation_id": _OPERATION,
    },
    {"model_name": _MODEL, "worker_ids": [_WORKER], "force": False},
)
ASSIGNMENTS = Example(
    {
        "assignments": [
            {
                "worker_id": _WORKER,
                "models": [{"name": _MODEL, "status": "loaded", "memory_usage": "6.5GB", "load_time": "45s"}],
            }
        ]
    }
)
REBALANCE = Example(
    {
        "rebalance_id": _OPERATION,
        "status": "initiated",
        "estimated_duration": "2m",
        "affected_workers": [_WORKER, "worker-003"],
        "operations": [
            {
                "type": "model_migration",
                "from_worker": _WORKER,
                "to_worker": "worker-003",
                "model": "stable-diffusion-xl",
            }
        ],
    },
    {"strategy": "memory_optimized", "force": False, "dry_run": False},
)
METRICS = Example(
    {
        "timeframe": "24h",
        "metrics": {
            "total_tasks": 2450,
            "successful_tasks": 2398,
            "failed_tasks": 52,
            "success_rate": 97.9,
            "average_response_time": "2.1s",
            "peak_throughput": "150 tasks/min",
            "gpu_utilization": {"average": 68.5, "peak": 95.2, "minimum": 12.1},
            "memory_usage": {"average": "75%", "peak": "92%", "efficiency": 85.3},
        },
    }
)
