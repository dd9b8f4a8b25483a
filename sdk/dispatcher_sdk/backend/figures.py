"""CPU, memory and GPU use of this machine in percent, from what is at hand: psutil, else /proc; NVML for GPUs."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

Reader = Callable[[], dict[str, float]]


class ProcReader:
    """CPU and memory from Linux's /proc (proc(5)); CPU is the share since the previous reading."""

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self._proc = proc
        self._previous = self._ticks()

    def __call__(self) -> dict[str, float]:
        """Read now; raises OSError without a /proc."""
        busy, total = self._ticks()
        busy_before, total_before = self._previous
        self._previous = busy, total
        elapsed = total - total_before
        lines = (self._proc / "meminfo").read_text().splitlines()
        memory = {name: float(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines) if rest}
        used = 1.0 - memory["MemAvailable"] / memory["MemTotal"]
        cpu = (busy - busy_before) / elapsed if elapsed > 0 else 0.0
        return {"cpu": round(100.0 * cpu, 1), "memory": round(100.0 * used, 1)}

    def _ticks(self) -> tuple[float, float]:
        """Busy and total ticks; the fields 4 and 5 are idle time, from field 9 on guests count twice."""
        fields = [float(field) for field in (self._proc / "stat").read_text().split("\n", 1)[0].split()[1:9]]
        total = sum(fields)
        return total - fields[3] - fields[4], total


def host_reader() -> Reader | None:
    """The best reader of CPU and memory here, or None."""
    psutil: Any = _optional("psutil")
    if psutil is not None:
        psutil.cpu_percent()  # the first call only sets the mark that the next one measures from
        return lambda: {"cpu": psutil.cpu_percent(), "memory": psutil.virtual_memory().percent}
    try:
        return ProcReader()
    except OSError:
        return None


def gpu_reader() -> Reader | None:
    """A reader of the average use of all NVIDIA GPUs, or None without the library, the driver or a GPU."""
    nvml: Any = _optional("pynvml")
    if nvml is None:
        return None
    try:
        nvml.nvmlInit()
        handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
    except nvml.NVMLError:
        return None

    def read() -> dict[str, float]:
        try:
            rates = [float(nvml.nvmlDeviceGetUtilizationRates(handle).gpu) for handle in handles]
        except nvml.NVMLError:
            return {}  # a GPU in reset: the heartbeat matters more than its figures
        return {"gpu": round(sum(rates) / len(rates), 1)}

    return read if handles else None


def machine_figures() -> Reader:
    """One reader of everything that can be read here."""
    readers = [reader for reader in (host_reader(), gpu_reader()) if reader is not None]

    def read() -> dict[str, float]:
        return {name: value for reader in readers for name, value in reader().items()}

    return read


def _optional(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
