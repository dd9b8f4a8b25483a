"""Workers between the domain and the wire. Pure."""

from collections.abc import Collection, Sequence

from dispatcher.dialects.cluster import told
from dispatcher.dialects.cluster.answers import (
    Gpu,
    GpuDetails,
    GpuInfo,
    ListedWorker,
    LoadedModel,
    SystemInfo,
    TaskHistory,
    WorkerDetails,
    WorkerMetrics,
    WorkerStatus,
)
from dispatcher.dialects.cluster.units import duration, size
from dispatcher.domain.placement import Placement, PlacementStatus
from dispatcher.domain.server import Server, ServerHealth
from dispatcher.domain.stats import Counts
from dispatcher.web.times import iso

STATUSES: tuple[WorkerStatus, ...] = ("online", "offline", "busy", "error")
ACTIVE: tuple[WorkerStatus, ...] = ("online", "busy")
_IN_MEMORY = (PlacementStatus.LOADED, PlacementStatus.UNLOADING)


def status_word(server: Server, restarting: Collection[str] = ()) -> WorkerStatus:
    """`restarting` are the ids of workers that are restarted now."""
    if server.maintenance or not server.online or not server.came or server.id in restarting:
        return "offline"
    if server.health is ServerHealth.UNHEALTHY:
        return "error"
    return "busy" if server.active >= server.max_concurrent else "online"


def listed(server: Server, status: WorkerStatus, models: Sequence[Placement], tasks: int, ever: Counts) -> ListedWorker:
    """`tasks` is how many of the cluster it runs, `ever` what it did since it was registered."""
    return ListedWorker(
        worker_id=server.id,
        status=status,
        gpu_info=_gpu_info(told.machine(server)),
        loaded_models=[model.model for model in models if model.status in _IN_MEMORY],
        current_tasks=tasks,
        last_heartbeat=iso(server.last_seen_ms),
        performance_score=_score(server, ever),
        name=server.name,
    )


def details(
    server: Server, status: WorkerStatus, models: Sequence[Placement], today: Counts, hours: float
) -> WorkerDetails:
    """`today` is what it did in the `hours` (> 0) of this UTC day since it was there."""
    machine = told.machine(server)
    ended = today.completed + today.failed
    return WorkerDetails(
        worker_id=server.id,
        status=status,
        gpu_info=GpuDetails(
            **_gpu_info(machine),
            driver_version=next((gpu.driver_version for gpu in machine.gpus if gpu.driver_version), None),
        ),
        system_info=SystemInfo(
            cpu=machine.cpu, ram_total=_size(machine.ram_total), ram_used=_size(machine.ram_used), os=machine.os
        ),
        loaded_models=[_loaded(model) for model in models if model.status in _IN_MEMORY],
        task_history=TaskHistory(
            completed_today=today.completed,
            average_duration=duration(today.average_ms),
            success_rate=round(today.success_rate * 100, 1),
        ),
        metrics=WorkerMetrics(
            tasks_per_hour=_plain(ended / hours),
            average_response_time=duration(server.latency_ms or today.average_ms),
            error_rate=round(today.failed / ended, 4) if ended else 0.0,
        ),
        name=server.name,
    )


def has_gpu(server: Server, gpu_type: str) -> bool:
    """True for a worker with a GPU whose model has this text in it, in whatever case."""
    return any(gpu_type.casefold() in model.casefold() for model in told.machine(server).models)


def _gpu_info(machine: told.Machine) -> GpuInfo:
    return GpuInfo(
        model=next(iter(machine.models), None),
        memory_total=_size(machine.gpu_memory),
        memory_used=_size(machine.gpu_memory_used),
        temperature=max((gpu.temperature for gpu in machine.gpus if gpu.temperature is not None), default=None),
        utilization=None if machine.gpu_utilization is None else round(machine.gpu_utilization, 1),
        gpus=[
            Gpu(
                model=gpu.model,
                memory_total=_size(gpu.memory_total),
                memory_used=_size(gpu.memory_used),
                temperature=gpu.temperature,
                utilization=gpu.utilization,
            )
            for gpu in machine.gpus
        ],
    )


def _loaded(model: Placement) -> LoadedModel:
    return LoadedModel(
        name=model.model,
        memory_usage=size(model.memory),
        load_time=None if model.load_ms is None else duration(model.load_ms),
        last_used=None if model.last_used_ms is None else iso(model.last_used_ms),
    )


def _score(server: Server, ever: Counts) -> float:
    """0..10: seven parts its share of successes, three parts how free it is; 0 for one that did nothing yet."""
    if not ever.completed + ever.failed:
        return 0.0
    return round(10 * (0.7 * ever.success_rate + 0.3 * (1 - min(server.load, 1.0))), 1)


def _size(amount: float | None) -> str | None:
    return None if amount is None else size(amount)


def _plain(value: float) -> float:
    """120 rather than 120.0."""
    tenths = round(value, 1)
    return int(tenths) if tenths == int(tenths) else tenths
