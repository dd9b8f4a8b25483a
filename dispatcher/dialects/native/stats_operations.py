"""The registry of the statistics and load balancer operations."""

from dispatcher.dialects.native.answers import (
    AlgorithmAnswer,
    BalancerAnswer,
    HourlyAnswer,
    ServerStatsAnswer,
    TaskStatsAnswer,
)
from dispatcher.dialects.native.requests import SetAlgorithm
from dispatcher.dialects.native.stats_routes import StatsRoutes
from dispatcher.dialects.operation import ADMINS, ANYBODY, Example, Operation, Parameter
from dispatcher.domain import errors as e
from dispatcher.web.rates import Rate

STATISTICS = "Statistics"
LOAD_BALANCER = "Load Balancer"
_DATE = (Parameter("date", "query", {"type": "string", "format": "date"}, "YYYY-MM-DD in UTC, today when left out"),)

_TASK_STATS = {
    "date": "2024-01-06",
    "totalTasks": 500,
    "pendingTasks": 10,
    "processingTasks": 0,
    "successfulTasks": 450,
    "failedTasks": 30,
    "cancelledTasks": 10,
    "retriedTasks": 10,
    "averageProcessingTime": 45000,
    "serverCount": 5,
    "topServers": [{"serverId": "server_xyz789", "tasksProcessed": 150, "successRate": 0.98}],
    "withoutServer": {"tasksProcessed": 0, "successRate": 0.0},
    "hourlyTrend": [{"hour": 0, "tasks": 20}, {"hour": 1, "tasks": 15}],
}
_HOURLY = {
    "date": "2024-01-06",
    "hours": [{"hour": 0, "created": 20, "completed": 18, "failed": 2, "averageTime": 42000}],
}
_SERVER_STATS = {
    "serverId": "server_xyz789",
    "date": "2024-01-06",
    "tasksProcessed": 150,
    "successCount": 147,
    "failureCount": 3,
    "successRate": 0.98,
    "averageProcessingTime": 45000,
    "uptime": 0.995,
}
_BALANCER = {
    "algorithm": "weighted-round-robin",
    "serverDistribution": {
        "server_xyz789": {"load": 0.6, "activeTasks": 6, "weight": 2},
        "server_abc456": {"load": 0.3, "activeTasks": 3, "weight": 1},
    },
    "totalActiveTasks": 9,
    "averageLoad": 0.45,
}


def stats_operations(routes: StatsRoutes) -> list[Operation]:
    return [
        Operation(
            "getTaskStats", "GET", "/api/stats/tasks", STATISTICS, "Get Task Statistics", ANYBODY, Rate.DEFAULT,
            routes.tasks, answer=TaskStatsAnswer, parameters=_DATE, errors=(e.Invalid,), example=Example(_TASK_STATS),
        ),
        Operation(
            "getHourlyReport", "GET", "/api/stats/hourly", STATISTICS, "Get Hourly Report", ANYBODY, Rate.DEFAULT,
            routes.hourly, answer=HourlyAnswer, parameters=_DATE, errors=(e.Invalid,), example=Example(_HOURLY),
        ),
        Operation(
            "getServerStats", "GET", "/api/stats/servers/{id}", STATISTICS, "Get Server Statistics", ANYBODY,
            Rate.DEFAULT, routes.server, answer=ServerStatsAnswer, parameters=_DATE, errors=(e.Invalid, e.NotFound),
            example=Example(_SERVER_STATS, path={"id": "server_xyz789"}),
        ),
        Operation(
            "getLoadBalancer", "GET", "/api/stats/load-balancer", LOAD_BALANCER, "Get Load Balancer Status", ANYBODY,
            Rate.DEFAULT, routes.load_balancer, answer=BalancerAnswer, example=Example(_BALANCER),
        ),
        Operation(
            "setLoadBalancerAlgorithm", "POST", "/api/stats/load-balancer/algorithm", LOAD_BALANCER,
            "Set Load Balancer Algorithm", ADMINS, Rate.DEFAULT, routes.set_algorithm,
            answer=AlgorithmAnswer, request=SetAlgorithm,
            errors=(e.Invalid, e.TooSlow, e.TooLarge, e.UnsupportedMedia, e.Forbidden),
            example=Example(
                {"message": "Load balancer algorithm updated", "algorithm": "least-connections"},
                {"algorithm": "least-connections"},
            ),
        ),
    ]  # fmt: skip
