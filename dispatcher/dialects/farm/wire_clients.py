"""Clients between the domain and the REST API. Pure."""

from collections.abc import Sequence
from typing import Any

from dispatcher.dialects.farm.answers import ClientDetails, ClientStatus, ListedClient, Performance, Usage
from dispatcher.dialects.farm.clients import Known, known_of
from dispatcher.dialects.farm.messages import Memory
from dispatcher.dialects.farm.wire_tasks import brief
from dispatcher.domain.server import Server
from dispatcher.domain.stats import Counts
from dispatcher.domain.task import Task
from dispatcher.web.times import iso


def status_word(server: Server) -> ClientStatus:
    return "active" if server.online else "inactive"


def listed(server: Server) -> ListedClient:
    """`resources` is a summary; empty where the client reported none."""
    known = known_of(server)
    resources: dict[str, Any] = {"cpu": {}, "ram": {}, "gpu": {}}
    if known.resources is not None:
        gpus = known.resources.gpu
        memory = {"total": sum(gpu.memory.total for gpu in gpus), "used": sum(gpu.memory.used or 0 for gpu in gpus)}
        resources = {"cpu": _cpu(known), "ram": _ram(known), "gpu": {"count": len(gpus), "memory": memory}}
    return ListedClient(
        id=server.name, status=status_word(server), resources=resources, last_seen=iso(server.last_seen_ms)
    )


def details(server: Server, running: Sequence[Task], totals: Counts) -> ClientDetails:
    known = known_of(server)
    gpus = known.resources.gpu if known.resources is not None else []
    return ClientDetails(
        id=server.name,
        status=status_word(server),
        resources={
            "cpu": _cpu(known),
            "ram": _ram(known),
            "gpu": [{"id": gpu.id, "name": gpu.name, "memory": _memory(gpu.memory)} for gpu in gpus],
        },
        tasks=[brief(task) for task in running],
        performance=Performance(
            completed_tasks=totals.completed,
            average_time=totals.average_ms / 1000,
            success_rate=totals.success_rate,
        ),
        last_seen=iso(server.last_seen_ms),
    )


def mean_usage(servers: Sequence[Server]) -> Usage:
    """Zeros without any."""
    infos = [known_of(server).system_info for server in servers]
    count = len(infos) or 1
    return Usage(
        cpu_usage=round(sum(info.cpu_usage for info in infos) / count, 2),
        ram_usage=round(sum(info.ram_usage for info in infos) / count, 2),
        gpu_usage=round(sum(info.gpu_usage for info in infos) / count, 2),
    )


def _cpu(known: Known) -> dict[str, float]:
    cpu = known.resources.cpu if known.resources is not None else None
    usage = cpu.usage if cpu is not None and cpu.usage is not None else known.system_info.cpu_usage
    cores = cpu.cores if cpu is not None else 0
    return {"cores": int(cores) if cores == int(cores) else cores, "usage": usage}


def _ram(known: Known) -> dict[str, int]:
    total = known.resources.ram.total if known.resources is not None else 0
    used = known.resources.ram.used if known.resources is not None else None
    return {"total": total, "used": round(total * known.system_info.ram_usage / 100) if used is None else used}


def _memory(memory: Memory) -> dict[str, int]:
    return {"total": memory.total, "used": memory.used or 0}
