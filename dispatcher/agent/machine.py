"""What this machine has, and how busy it is. Sizes in bytes, use in percent."""

import os
import platform
from contextlib import suppress
from typing import Any

import psutil

from dispatcher.agent.gpus import Gpus
from dispatcher.agent.options import MB


class Machine:
    """`directory` is on the disk that tasks write to."""

    def __init__(self, directory: str, gpus: Gpus) -> None:
        self._directory = directory
        self._gpus = gpus
        self._processor = _processor()
        psutil.cpu_percent()  # it measures from one call to the next

    def totals(self) -> dict[str, float]:
        """In the words of the native API's `resources`."""
        found: dict[str, float] = {
            "cpu": len(os.sched_getaffinity(0)),
            "memoryMB": psutil.virtual_memory().total // MB,
            "storageMB": max(1, psutil.disk_usage(self._directory).free // MB),
        }
        gpus = self._gpus.read()
        memory = sum(gpu["memory_total"] for gpu in gpus) // MB
        # a GPU that shares the memory of the processor tells none of its own
        return found | ({"gpu": len(gpus)} if gpus else {}) | ({"gpuMemoryMB": memory} if memory else {})

    def metrics(self) -> dict[str, Any]:
        """The figures of a heartbeat."""
        memory, gpus = psutil.virtual_memory(), self._gpus.read()
        busy = [gpu["utilization"] for gpu in gpus if gpu["utilization"] is not None]
        told: dict[str, Any] = {
            "cpu": psutil.cpu_percent(),
            "memory": memory.percent,
            "storage": psutil.disk_usage(self._directory).percent,
            "gpus": gpus,
            "system": {
                "cpu": self._processor,
                "os": f"{platform.system()} {platform.release()}",
                "memory_total": memory.total,
                "memory_used": memory.total - memory.available,
            },
        }
        return told | ({"gpu": round(sum(busy) / len(busy), 1)} if busy else {})


def _processor() -> str:
    with suppress(OSError, StopIteration), open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    return platform.machine()
