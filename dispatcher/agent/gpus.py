"""The GPUs of this machine, as their driver tells; none where there is no driver, or no library to ask it."""

import importlib
from typing import Any


class Gpus:
    """`nvml` is the module of nvidia-ml-py, initialised; None: there are no GPUs."""

    def __init__(self, nvml: Any = None) -> None:
        self._nvml = nvml
        count = self._ask("nvmlDeviceGetCount") or 0 if nvml is not None else 0
        found = (self._ask("nvmlDeviceGetHandleByIndex", at) for at in range(count))
        self._handles = [handle for handle in found if handle is not None]  # None: broken, or not for us

    def read(self) -> list[dict[str, Any]]:
        """Of each what it tells; memory in bytes, utilization in percent, temperature in degrees Celsius."""
        return [self._one(handle) for handle in self._handles]

    def memory_of(self, pid: int) -> int:
        """Bytes that a process takes of all GPUs together; 0 where that is not told."""
        total = 0
        for handle in self._handles:
            processes = self._ask("nvmlDeviceGetComputeRunningProcesses", handle) or ()
            total += sum(one.usedGpuMemory or 0 for one in processes if one.pid == pid)
        return total

    def _one(self, handle: Any) -> dict[str, Any]:
        memory = self._ask("nvmlDeviceGetMemoryInfo", handle)
        rates = self._ask("nvmlDeviceGetUtilizationRates", handle)
        return {
            "model": _text(self._ask("nvmlDeviceGetName", handle)),
            "memory_total": memory.total if memory is not None else 0,
            "memory_used": memory.used if memory is not None else 0,
            "temperature": self._ask("nvmlDeviceGetTemperature", handle, 0),  # 0: of the chip
            "utilization": rates.gpu if rates is not None else None,
            "driver_version": _text(self._ask("nvmlSystemGetDriverVersion")),
        }

    def _ask(self, name: str, *arguments: Any) -> Any:
        """None for what this GPU does not tell."""
        try:
            return getattr(self._nvml, name)(*arguments)
        except self._nvml.NVMLError:
            return None


def find_gpus() -> Gpus:
    """Asks the driver, where it can be asked."""
    try:
        nvml = importlib.import_module("pynvml")
    except ImportError:
        return Gpus()
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        return Gpus()
    return Gpus(nvml)


def _text(value: Any) -> str | None:
    return value.decode(errors="replace") if isinstance(value, bytes) else value
