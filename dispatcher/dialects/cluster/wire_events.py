"""What the sockets are sent. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dispatcher.dialects.cluster import told
from dispatcher.dialects.cluster.answers import WorkerStatus
from dispatcher.dialects.cluster.options import ClusterOptions
from dispatcher.dialects.cluster.units import duration, size
from dispatcher.dialects.cluster.wire_tasks import error_of, spent
from dispatcher.domain.operation import Operation
from dispatcher.domain.placement import Placement
from dispatcher.domain.principal import Owner
from dispatcher.domain.server import Server
from dispatcher.domain.task import Task
from dispatcher.domain.transitions import TaskState
from dispatcher.web.answer import encode_json
from dispatcher.web.times import iso


@dataclass(frozen=True, slots=True)
class Event:
    """One message. `owner` is whose task it is about; None: everybody may see it."""

    text: str
    owner: Owner | None = None


def _event(name: str, at_ms: int, data: Mapping[str, Any], owner: Owner | None = None) -> Event:
    return Event(encode_json({"event": name, "timestamp": iso(at_ms), "data": data}).decode(), owner)


def task_ended(task: Task) -> Event | None:
    """None for an end that is no event: a task that was cancelled, or is open again."""
    success = task.state is TaskState.COMPLETED
    error = error_of(task)
    if task.ended_ms is None or not (success or error):
        return None
    data = {"task_id": task.id, "worker_id": task.server_id, "duration": spent(task), "success": success}
    if error is not None:
        data["error"] = error
    return _event("task_completed" if success else "task_failed", task.ended_ms, data, task.owner)


def model_loaded(placement: Placement, at_ms: int) -> Event:
    data = {
        "model_name": placement.model,
        "worker_id": placement.server_id,
        "load_time": duration(placement.load_ms or 0),
        "memory_usage": size(placement.memory),
    }
    return _event("model_loaded", at_ms, data)


def rebalance_started(operation: Operation, moves: list[tuple[str, str, str]]) -> Event:
    workers = list(dict.fromkeys(name for _, source, target in moves for name in (source, target)))
    data = {"rebalance_id": operation.id, "strategy": operation.note, "affected_workers": workers}
    return _event("cluster_rebalance_started", operation.started_ms, data)


@dataclass(frozen=True, slots=True)
class Seen:
    """A worker as it was looked at last, and what it is alarming for: (kind, GPU) -> value, threshold."""

    status: WorkerStatus
    server: Server
    alerts: Mapping[tuple[str, int], tuple[float, float]]


def changes(before: Mapping[str, Seen], now: Mapping[str, Seen], at_ms: int) -> Iterator[Event]:
    """What is to be told of two looks at the fleet, one after the other."""
    for worker_id, seen in now.items():
        known = before.get(worker_id)
        old = known.status if known is not None else "offline"
        if old != seen.status:
            yield _status_changed(worker_id, old, seen.status, _reason(known, seen), at_ms)
        for alert, (value, threshold) in seen.alerts.items():
            if known is None or alert not in known.alerts:
                kind, gpu = alert
                data = {"worker_id": worker_id, "type": kind, "value": value, "threshold": threshold, "gpu": gpu}
                yield _event("gpu_alert", at_ms, data)
    for worker_id, seen in before.items():
        if worker_id not in now and seen.status != "offline":
            yield _status_changed(worker_id, seen.status, "offline", "unregistered", at_ms)


def _status_changed(worker_id: str, old: WorkerStatus, new: WorkerStatus, reason: str, at_ms: int) -> Event:
    data = {"worker_id": worker_id, "old_status": old, "new_status": new, "reason": reason}
    return _event("worker_status_changed", at_ms, data)


def _reason(known: Seen | None, seen: Seen) -> str:
    """Why it has this status now."""
    if seen.status == "offline":
        if seen.server.maintenance:
            return "maintenance"
        if seen.server.online:
            return "restart"
        return "left" if seen.server.left else "heartbeat_timeout"
    if seen.status == "error":
        return "unhealthy"
    if known is None:
        return "registered"
    match known.status:
        case "offline":
            return "connected"
        case "error":
            return "recovered"
    return "slots_taken" if seen.status == "busy" else "slots_free"


def look(server: Server, status: WorkerStatus, options: ClusterOptions) -> Seen:
    alerts: dict[tuple[str, int], tuple[float, float]] = {}
    for place, gpu in enumerate(told.machine(server).gpus if server.online else ()):
        for kind, value, threshold in (
            ("temperature", gpu.temperature, options.temperature),
            ("memory", gpu.memory_percent, options.gpu_memory),
            ("utilization", gpu.utilization, options.utilization),
        ):
            if threshold and value is not None and value > threshold:
                alerts[kind, place] = (round(value, 1), threshold)
    return Seen(status, server, alerts)
