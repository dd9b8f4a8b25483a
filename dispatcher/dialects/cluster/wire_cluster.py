"""Figures of the cluster as a whole. Pure."""

from collections.abc import Sequence

from dispatcher.dialects.cluster import told
from dispatcher.dialects.cluster.answers import (
    ClusterStatus,
    Figures,
    MemoryUsage,
    MetricsAnswer,
    Percentages,
    WorkerStatus,
)
from dispatcher.dialects.cluster.units import duration, size
from dispatcher.dialects.cluster.wire_workers import ACTIVE
from dispatcher.domain.placement import Placement, PlacementStatus
from dispatcher.domain.server import Server
from dispatcher.domain.telemetry import Spread, Window

_HELD = (PlacementStatus.LOADING, PlacementStatus.LOADED, PlacementStatus.UNLOADING)


def cluster_status(
    cluster_id: str, workers: Sequence[tuple[Server, WorkerStatus]], queued: int, running: int, now_ms: int
) -> ClusterStatus:
    active = [server for server, status in workers if status in ACTIVE]
    machines = [told.machine(server) for server in active]
    totals = [(machine.gpu_memory, machine.gpu_memory_used) for machine in machines if machine.gpu_memory is not None]
    total, free = sum(t for t, _ in totals), sum(max(0.0, t - (used or 0)) for t, used in totals)
    since = min((server.registered_ms for server, _ in workers), default=now_ms)
    return ClusterStatus(
        cluster_id=cluster_id,
        status="down" if not active else "degraded" if len(active) < len(workers) else "operational",
        total_workers=len(workers),
        active_workers=len(active),
        queued_tasks=queued,
        running_tasks=running,
        gpu_utilization=_utilization(machines),
        total_memory=size(total),
        available_memory=size(free),
        uptime=duration(max(0, now_ms - since)),
    )


def _utilization(machines: Sequence[told.Machine]) -> float:
    """The mean over all GPUs; a worker that tells none by itself counts as one."""
    values: list[float] = []
    for machine in machines:
        each = [gpu.utilization for gpu in machine.gpus if gpu.utilization is not None]
        values += each or [value for value in (machine.gpu_utilization,) if value is not None]
    return round(sum(values) / len(values), 1) if values else 0.0


def metrics(window: Window, efficiency: float) -> MetricsAnswer:
    counts = window.counts
    memory = window.memory or Spread(0.0, 0.0, 0.0)
    gpu = window.gpu or Spread(0.0, 0.0, 0.0)
    return MetricsAnswer(
        timeframe=window.timeframe.value,
        metrics=Figures(
            total_tasks=counts.completed + counts.failed,
            successful_tasks=counts.completed,
            failed_tasks=counts.failed,
            success_rate=round(counts.success_rate * 100, 1),
            average_response_time=duration(counts.average_ms),
            peak_throughput=f"{round(window.peak_per_minute, 1):g} tasks/min",
            gpu_utilization=Percentages(
                average=round(gpu.average, 1), peak=round(gpu.peak, 1), minimum=round(gpu.minimum, 1)
            ),
            memory_usage=MemoryUsage(
                average=f"{round(memory.average)}%", peak=f"{round(memory.peak)}%", efficiency=efficiency
            ),
        ),
    )


def efficiency(servers: Sequence[Server], placements: Sequence[Placement], since_ms: int) -> float:
    """Percent of the reserved memory that tasks made use of: what running ones hold, and models that one has used since
    then. 0 where nothing is reserved."""
    reserved = sum(server.allocated.memory + server.allocated.gpu_memory for server in servers)
    idle = sum(
        placement.memory
        for placement in placements
        if placement.status in _HELD and (placement.last_used_ms is None or placement.last_used_ms < since_ms)
    )
    return round(max(0.0, reserved - idle) / reserved * 100, 1) if reserved else 0.0
