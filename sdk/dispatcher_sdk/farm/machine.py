"""What this machine has and how busy it is, in the shape of the AI Farm API: memory in MB, use in percent."""

import os
import subprocess
from collections.abc import Callable, Mapping
from typing import Any

from dispatcher_sdk.backend.figures import host_reader

QUERY = "index,name,memory.total,memory.used,utilization.gpu"
SMI = ("nvidia-smi", f"--query-gpu={QUERY}", "--format=csv,noheader,nounits")
MB = 1024 * 1024


def ask_nvidia_smi() -> str:
    """What nvidia-smi says about the GPUs, nothing where there is none."""
    try:
        return subprocess.run(SMI, capture_output=True, text=True, timeout=5, check=True).stdout  # noqa: S603 - constant
    except (OSError, subprocess.SubprocessError):
        return ""


class Machine:
    """`read` gives the figures of a heartbeat. `declared` replaces what is found as resources."""

    def __init__(self, declared: Mapping[str, Any] | None = None, gpus: Callable[[], str] = ask_nvidia_smi) -> None:
        self._declared = declared
        self._gpus = gpus
        self._host = host_reader() or dict[str, float]

    def read(self) -> tuple[dict[str, float], dict[str, Any]]:
        """`system_info` and `resources`. Takes up to five seconds where nvidia-smi hangs."""
        host, gpus = self._host(), [_gpu(line) for line in self._gpus().splitlines() if line.count(",") == 4]
        cpu, ram = host.get("cpu", 0.0), host.get("memory", 0.0)
        busy = round(sum(use for use, _ in gpus) / len(gpus), 1) if gpus else 0.0
        info = {"cpu_usage": cpu, "ram_usage": ram, "gpu_usage": busy}
        if self._declared is not None:
            return info, dict(self._declared)
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // MB
        resources = {
            "cpu": {"cores": os.cpu_count() or 1, "usage": cpu},
            "ram": {"total": total, "used": round(total * ram / 100)},
            "gpu": [shown for _, shown in gpus],
        }
        return info, resources


def _gpu(line: str) -> tuple[float, dict[str, Any]]:
    """The use of one GPU and its place among the resources, from a line like `0, NVIDIA RTX 3080, 10240, 3072, 80`."""
    index, name, total, used, use = (field.strip() for field in line.split(","))
    memory = {"total": int(_number(total)), "used": int(_number(used))}
    return _number(use), {"id": int(_number(index)), "name": name, "memory": memory}


def _number(text: str) -> float:
    """nvidia-smi says `[N/A]` for what a GPU does not tell."""
    try:
        return float(text)
    except ValueError:
        return 0.0
