"""GPUs by way of the library that asks their driver, on a stand-in of the driver's own functions."""

import ctypes
from collections.abc import Callable
from ctypes import c_uint, c_ulonglong, c_void_p
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from dispatcher.agent.gpus import find_gpus
from dispatcher.agent.machine import Machine

GB = 1 << 30
NOT_SUPPORTED, TOO_SMALL, LOST = 3, 7, 15


class Process(ctypes.Structure):
    _fields_ = [("pid", c_uint), ("memory", c_ulonglong), ("instance", c_uint), ("compute", c_uint)]


def _fill(at: int, kind: Any, *values: Any) -> int:
    (kind * len(values)).from_address(at)[:] = values
    return 0


def _say(at: int, text: bytes) -> int:
    return _fill(at, ctypes.c_char, *text, 0)


def _processes(handle: int, count: int, found: int | None) -> int:
    _fill(count, c_uint, 2)
    return _fill(found, Process, Process(11, 3 * GB), Process(12, 2**64 - 1)) if found else TOO_SMALL


FUNCTIONS: dict[str, tuple[Callable[..., int], list[Any]]] = {
    "nvmlInitWithFlags": (lambda flags: 0, [c_uint]),
    "nvmlDeviceGetCount_v2": (lambda count: _fill(count, c_uint, 3), [c_void_p]),
    "nvmlDeviceGetHandleByIndex_v2": (
        lambda at, handle: LOST if at == 1 else _fill(handle, c_ulonglong, 64 + at), [c_uint, c_void_p]
    ),
    "nvmlDeviceGetName": (lambda handle, text, size: _say(text, b"RTX 4090"), [c_void_p, c_void_p, c_uint]),
    "nvmlSystemGetDriverVersion": (lambda text, size: _say(text, b"550.54"), [c_void_p, c_uint]),
    "nvmlDeviceGetMemoryInfo": (
        lambda handle, memory: _fill(memory, c_ulonglong, 24 * GB, 18 * GB, 6 * GB), [c_void_p, c_void_p]
    ),
    "nvmlDeviceGetUtilizationRates": (
        lambda handle, rates: _fill(rates, c_uint, 80, 10) if handle == 64 else NOT_SUPPORTED, [c_void_p, c_void_p]
    ),
    "nvmlDeviceGetTemperature": (
        lambda handle, sensor, degrees: _fill(degrees, c_uint, 66), [c_void_p, c_uint, c_void_p]
    ),
    "nvmlDeviceGetComputeRunningProcesses_v3": (_processes, [c_void_p, c_void_p, c_void_p]),
}  # fmt: skip


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three GPUs; the second one is lost, and the third does not tell how busy it is."""
    made = {name: ctypes.CFUNCTYPE(c_uint, *takes)(act) for name, (act, takes) in FUNCTIONS.items()}
    monkeypatch.setattr(pynvml, "nvmlLib", SimpleNamespace(**made))
    monkeypatch.setattr(pynvml, "_nvmlGetFunctionPointer_cache", {})


def test_what_a_driver_tells(driver: None, tmp_path: Path) -> None:
    gpus = find_gpus()
    first, third = gpus.read()
    assert first == {
        "model": "RTX 4090", "memory_total": 24 * GB, "memory_used": 6 * GB, "temperature": 66, "utilization": 80,
        "driver_version": "550.54",
    }  # fmt: skip
    assert third == first | {"utilization": None}
    assert [gpus.memory_of(pid) for pid in (11, 12, 13)] == [6 * GB, 0, 0]
    machine = Machine(str(tmp_path), gpus)
    assert (machine.totals()["gpu"], machine.totals()["gpuMemoryMB"], machine.metrics()["gpu"]) == (2, 48 * 1024, 80)


def test_without_the_driver_s_library_there_are_no_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(pynvml, "nvmlLib", None)
    monkeypatch.setattr(pynvml, "CDLL", none)
    assert find_gpus().read() == []
