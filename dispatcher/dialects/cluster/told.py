"""What a worker tells of its machine with its heartbeats, as far as it can be understood. Pure.

The metrics of a heartbeat may hold, beside the percentages `cpu`, `memory` and `gpu`:

    gpus     [{model, memory_total, memory_used, temperature, utilization, driver_version}], memory in bytes
    system   {cpu, os, memory_total, memory_used}, likewise
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from dispatcher.domain.server import Server
from dispatcher.domain.telemetry import read_metrics, told_amount, told_percent

HOTTEST = 1_000  # degrees Celsius: no temperature from there on


@dataclass(frozen=True, slots=True)
class Gpu:
    """Sizes in bytes, temperature in degrees Celsius, utilization in percent; None where not told."""

    model: str | None = None
    memory_total: float | None = None
    memory_used: float | None = None
    temperature: float | None = None
    utilization: float | None = None
    driver_version: str | None = None

    @property
    def memory_percent(self) -> float | None:
        if not self.memory_total or self.memory_used is None:
            return None
        return self.memory_used / self.memory_total * 100


@dataclass(frozen=True, slots=True)
class Machine:
    """As `Gpu`. `gpu_utilization` is of all GPUs together."""

    gpus: Sequence[Gpu] = ()
    cpu: str | None = None
    os: str | None = None
    ram_total: float | None = None
    ram_used: float | None = None
    gpu_utilization: float | None = None
    gpu_memory: float | None = None
    gpu_memory_used: float | None = None
    models: Sequence[str] = field(default=())  # of its GPUs, each once


def machine(server: Server) -> Machine:
    """What is known of a server's machine. Where it told no total, what it offers counts; where it told no GPU by
    itself, what our own reservations take of the offer."""
    told = read_metrics(server.metrics)
    each = told.get("gpus")
    gpus = [_gpu(_object(one)) for one in each] if isinstance(each, list) else []
    system, offer = _object(told.get("system")), server.offer.resources
    ram_total = told_amount(system.get("memory_total")) or (offer.memory if offer is not None else None) or None
    share = told_percent(told.get("memory"))
    ram_used = _used(system, ram_total)
    if ram_used is None and ram_total is not None and share is not None:
        ram_used = ram_total * share / 100
    gpu_memory = _sum([gpu.memory_total for gpu in gpus]) or (offer.gpu_memory if offer is not None else None) or None
    used = _sum([gpu.memory_used for gpu in gpus])
    return Machine(
        gpus=gpus,
        cpu=_text(system.get("cpu")),
        os=_text(system.get("os")),
        ram_total=ram_total,
        ram_used=ram_used,
        gpu_utilization=_mean([gpu.utilization for gpu in gpus], told_percent(told.get("gpu"))),
        gpu_memory=gpu_memory,
        gpu_memory_used=used if used is not None or gpu_memory is None else server.allocated.gpu_memory,
        models=tuple(dict.fromkeys(gpu.model for gpu in gpus if gpu.model)),
    )


def _gpu(told: dict[str, Any]) -> Gpu:
    total = told_amount(told.get("memory_total"))
    return Gpu(
        model=_text(told.get("model")),
        memory_total=total,
        memory_used=_used(told, total),
        temperature=told_amount(told.get("temperature"), HOTTEST),
        utilization=told_percent(told.get("utilization")),
        driver_version=_text(told.get("driver_version")),
    )


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return value[:256] if isinstance(value, str) and value else None


def _used(told: dict[str, Any], total: float | None) -> float | None:
    """Never more than there is."""
    used = told_amount(told.get("memory_used"))
    return used if used is None or total is None else min(used, total)


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _mean(values: Sequence[float | None], otherwise: float | None) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else otherwise
