"""Statistics and load figures on the wire. Pure."""

from collections.abc import Sequence

from dispatcher.dialects.native.answers import (
    BalancerAnswer,
    HourAnswer,
    HourlyAnswer,
    HourTasks,
    Processed,
    ServerLoadAnswer,
    ServerStatsAnswer,
    TaskStatsAnswer,
    TopServer,
)
from dispatcher.domain.server import Server
from dispatcher.domain.stats import Counts, DayStats
from dispatcher.domain.transitions import TaskState
from dispatcher.service.stats import DaySummary

_WAITING = (TaskState.PENDING, TaskState.SCHEDULED, TaskState.RETRYING, TaskState.PAUSED)


def ratio(value: float) -> float:
    return round(value, 4)


def task_stats_answer(summary: DaySummary) -> TaskStatsAnswer:
    total = summary.day.total
    return TaskStatsAnswer(
        date=summary.day.date,
        totalTasks=total.created,
        pendingTasks=sum(summary.waiting.get(state, 0) for state in _WAITING),
        processingTasks=summary.waiting.get(TaskState.PROCESSING, 0),
        successfulTasks=total.completed,
        failedTasks=total.failed,
        cancelledTasks=total.cancelled,
        retriedTasks=total.reopened,
        averageProcessingTime=total.average_ms,
        serverCount=summary.server_count,
        topServers=[_top(server_id, counts) for server_id, counts in summary.top],
        withoutServer=Processed(tasksProcessed=_processed(summary.none), successRate=ratio(summary.none.success_rate)),
        hourlyTrend=[HourTasks(hour=hour, tasks=counts.created) for hour, counts in enumerate(summary.day.hours)],
    )


def _processed(counts: Counts) -> int:
    return counts.completed + counts.failed


def _top(server_id: str, counts: Counts) -> TopServer:
    return TopServer(serverId=server_id, tasksProcessed=_processed(counts), successRate=ratio(counts.success_rate))


def hourly_answer(day: DayStats) -> HourlyAnswer:
    hours = [
        HourAnswer(
            hour=hour,
            created=counts.created,
            completed=counts.completed,
            failed=counts.failed,
            averageTime=counts.average_ms,
        )
        for hour, counts in enumerate(day.hours)
    ]
    return HourlyAnswer(date=day.date, hours=hours)


def server_stats_answer(server_id: str, day: DayStats, uptime: float) -> ServerStatsAnswer:
    """`uptime` is the share of minutes with a sign of life."""
    total = day.total
    return ServerStatsAnswer(
        serverId=server_id,
        date=day.date,
        tasksProcessed=_processed(total),
        successCount=total.completed,
        failureCount=total.failed,
        successRate=ratio(total.success_rate),
        averageProcessingTime=total.average_ms,
        uptime=ratio(uptime),
    )


def balancer_answer(algorithm: str, servers: Sequence[Server]) -> BalancerAnswer:
    return BalancerAnswer(
        algorithm=algorithm,
        serverDistribution={
            s.id: ServerLoadAnswer(load=ratio(s.load), activeTasks=s.active, weight=s.weight) for s in servers
        },
        totalActiveTasks=sum(s.active for s in servers),
        averageLoad=ratio(sum(s.load for s in servers) / len(servers)) if servers else 0.0,
    )
