"""The models against the JSON examples of the native API document."""

from typing import Any

import pytest

from dispatcher_sdk import models
from dispatcher_sdk.models import Model

EXAMPLES: list[tuple[type[Model], dict[str, Any]]] = [
    (models.Task, {"id": "task_abc123", "status": "PENDING", "createdAt": 1704556800000, "updatedAt": 1704556800000}),
    (
        models.Task,
        {
            "id": "task_abc123",
            "status": "PROCESSING",
            "progress": 45,
            "serverId": "server_xyz789",
            "createdAt": 1704556800000,
            "updatedAt": 1704556810000,
        },
    ),
    (models.TaskAck, {"message": "Task queued for retry", "taskId": "task_abc123"}),
    (models.TaskAck, {"message": "Task cancelled", "taskId": "task_abc123"}),
    (models.ServerAck, {"serverId": "server_xyz789", "message": "Server registered successfully"}),
    (
        models.Server,
        {
            "id": "server_xyz789",
            "name": "gpu-server-01",
            "status": "online",
            "registeredAt": 1704553200000,
            "lastHeartbeat": 1704556800000,
            "uptime": 3600000,
            "timeSinceLastHeartbeat": 5000,
            "groups": ["production", "gpu"],
            "priority": 2,
        },
    ),
    (models.ServerAck, {"message": "Server unregistered", "serverId": "server_xyz789"}),
    (
        models.ServerMetrics,
        {
            "serverId": "server_xyz789",
            "metrics": {
                "uptime": 3600000,
                "tasksProcessed": 150,
                "successCount": 147,
                "failureCount": 3,
                "averageProcessingTime": 45000,
                "currentLoad": 0.6,
            },
        },
    ),
    (
        models.TaskStats,
        {
            "totalTasks": 500,
            "pendingTasks": 10,
            "successfulTasks": 450,
            "failedTasks": 30,
            "retriedTasks": 10,
            "averageProcessingTime": 45000,
            "serverCount": 5,
            "topServers": [{"serverId": "server_xyz789", "tasksProcessed": 150, "successRate": 0.98}],
            "hourlyTrend": [{"hour": 0, "tasks": 20}, {"hour": 1, "tasks": 15}],
        },
    ),
    (
        models.HourlyReport,
        {
            "date": "2024-01-06",
            "hours": [{"hour": 0, "created": 20, "completed": 18, "failed": 2, "averageTime": 42000}],
        },
    ),
    (
        models.ServerStats,
        {
            "serverId": "server_xyz789",
            "tasksProcessed": 150,
            "successCount": 147,
            "failureCount": 3,
            "successRate": 0.98,
            "averageProcessingTime": 45000,
            "uptime": 0.995,
        },
    ),
    (
        models.LoadBalancerStatus,
        {
            "algorithm": "weighted-round-robin",
            "serverDistribution": {
                "server_xyz789": {"load": 0.6, "activeTasks": 6, "weight": 2},
                "server_abc456": {"load": 0.3, "activeTasks": 3, "weight": 1},
            },
            "totalActiveTasks": 9,
            "averageLoad": 0.45,
        },
    ),
    (models.AlgorithmAck, {"message": "Load balancer algorithm updated", "algorithm": "least-connections"}),
]


@pytest.mark.parametrize(("model", "example"), EXAMPLES)
def test_every_field_of_the_documented_examples_survives(model: type[Model], example: dict[str, Any]) -> None:
    parsed = model.model_validate({**example, "fieldOfALaterVersion": {"x": 1}})
    assert parsed.model_dump(by_alias=True, exclude_unset=True) == example


def test_attributes_are_snake_case_and_values_cannot_change() -> None:
    task = models.Task.model_validate(EXAMPLES[1][1])
    assert (task.server_id, task.created_at, task.progress) == ("server_xyz789", 1704556800000, 45)
    with pytest.raises(ValueError, match="frozen"):
        task.status = "COMPLETED"


@pytest.mark.parametrize("status", ["COMPLETED", "FAILED", "TIMEOUT", "CANCELLED"])
def test_a_task_knows_whether_it_has_ended(status: str) -> None:
    assert models.Task(id="t", status=status).ended
    assert not models.Task(id="t", status="PROCESSING").ended


def test_null_is_taken_where_a_field_may_be_missing() -> None:
    task = models.Task.model_validate({"id": "t", "status": "PENDING", "serverId": None, "error": None, "progress": 0})
    assert task.server_id is None
