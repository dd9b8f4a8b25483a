"""Workers and their load between the domain and the wire. Pure."""

from collections.abc import Iterable, Sequence

from dispatcher.dialects.cloudai.options import ACTIVE_S, GB, ORIGIN
from dispatcher.dialects.cloudai.wire_tasks import seconds, status_word
from dispatcher.dialects.cloudai.worker_answers import (
    Amounts,
    ListedWorker,
    StreamedTelemetry,
    TaskInfo,
    Telemetry,
    WorkerDetails,
    WorkerInfo,
)
from dispatcher.dialects.cloudai.workers import shown_name
from dispatcher.domain.principal import Principal
from dispatcher.domain.resources import NOTHING, Resources
from dispatcher.domain.server import Server
from dispatcher.domain.task import Task
from dispatcher.domain.telemetry import newest


def last_heartbeat(server: Server) -> int:
    """Epoch seconds; 0 before the first: its registration is none."""
    return 0 if server.last_seen_ms == server.registered_ms else seconds(server.last_seen_ms)


def is_active(server: Server, now_ms: int) -> bool:
    return seconds(now_ms) - last_heartbeat(server) < ACTIVE_S


def visible(tasks: Iterable[Task], caller: Principal) -> list[Task]:
    """The tasks of this API among those that a worker runs: the caller's own, an admin's all."""
    return [task for task in tasks if task.origin == ORIGIN and (caller.is_admin or task.owner == caller.owner)]


def amounts(of: Resources) -> Amounts:
    return Amounts(cpu=float(of.cpu), memory=_gb(of.memory), storage=_gb(of.storage), gpu=float(of.gpu))


def telemetry(server: Server, running: Iterable[Task], caller: Principal, now_ms: int) -> Telemetry:
    usage = newest(server).usage
    return Telemetry(
        worker_id=shown_name(server, caller),
        is_active=is_active(server, now_ms),
        cpu_usage=usage.cpu or 0.0,
        memory_usage=usage.memory or 0.0,
        gpu_usage=usage.gpu or 0.0,
        running_tasks=[_info(task) for task in visible(running, caller)],
        last_update=last_heartbeat(server),
    )


def streamed(server: Server, running: Iterable[Task], caller: Principal, now_ms: int) -> StreamedTelemetry:
    total, allocated, available = _resources(server)
    return StreamedTelemetry(
        **telemetry(server, running, caller, now_ms),
        total_resources=total,
        allocated_resources=allocated,
        available_resources=available,
    )


def listed(server: Server, caller: Principal, now_ms: int) -> ListedWorker:
    usage = newest(server).usage
    total, allocated, available = _resources(server)
    return ListedWorker(
        worker_id=shown_name(server, caller),
        address=server.address,
        worker_ip=server.address,
        is_active=is_active(server, now_ms),
        total_resources=total,
        allocated_resources=allocated,
        available_resources=available,
        last_heartbeat=last_heartbeat(server),
        registered_at=seconds(server.registered_ms),
        cpu_usage=usage.cpu or 0.0,
        memory_usage=usage.memory or 0.0,
        gpu_usage=usage.gpu or 0.0,
        running_tasks_count=server.active,
    )


def details(server: Server, running: Sequence[Task], caller: Principal, now_ms: int) -> WorkerDetails:
    total = amounts(server.offer.resources or NOTHING)
    return WorkerDetails(
        **telemetry(server, running, caller, now_ms),
        worker_info=WorkerInfo(
            worker_id=shown_name(server, caller),
            worker_ip=server.address,
            total_cpu=total["cpu"],
            total_memory=total["memory"],
            total_storage=total["storage"],
            total_gpu=total["gpu"],
            registered_at=seconds(server.registered_ms),
            last_heartbeat=last_heartbeat(server),
        ),
    )


def _info(task: Task) -> TaskInfo:
    taken = amounts(task.needs)
    return TaskInfo(
        task_id=task.id,
        cpu_allocated=taken["cpu"],
        memory_allocated=taken["memory"],
        gpu_allocated=taken["gpu"],
        status=status_word(task.state),
    )


def _resources(server: Server) -> tuple[Amounts, Amounts, Amounts]:
    """Total, allocated, available. A worker that has shrunk may have less than it gave away: then none is available."""
    total, taken = server.offer.resources or NOTHING, server.allocated
    left = Resources(*(max(0, a - b) for a, b in zip(total.amounts, taken.amounts, strict=True)))  # type: ignore[arg-type]
    return amounts(total), amounts(taken), amounts(left)


def _gb(size: int) -> float:
    return round(size / GB, 6)
