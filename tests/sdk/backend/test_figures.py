"""CPU, memory and GPU figures."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dispatcher_sdk.backend.figures import ProcReader, gpu_reader, host_reader, machine_figures


def write_proc(proc: Path, user: int, idle: int) -> None:
    (proc / "stat").write_text(f"cpu  {user} 0 0 {idle} 0 0 0 0 77 88\ncpu0 1 2 3 4\n")
    (proc / "meminfo").write_text("MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 250 kB\n")


def test_proc_gives_the_share_since_the_previous_reading(tmp_path: Path) -> None:
    write_proc(tmp_path, user=100, idle=900)
    read = ProcReader(tmp_path)
    write_proc(tmp_path, user=160, idle=940)
    assert read() == {"cpu": 60.0, "memory": 75.0}
    assert read() == {"cpu": 0.0, "memory": 75.0}


def test_without_psutil_proc_is_read_and_without_both_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert isinstance(host_reader(), ProcReader)
    with pytest.raises(OSError, match="No such file"):
        ProcReader(tmp_path)


def test_gpus_are_averaged_and_one_that_fails_costs_only_its_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    class NVMLError(Exception):
        pass

    loads: list[Any] = [80, 20]

    def rates(index: int) -> Any:
        if loads[index] is None:
            raise NVMLError
        return SimpleNamespace(gpu=loads[index])

    fake = SimpleNamespace(
        NVMLError=NVMLError,
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: len(loads),
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetUtilizationRates=rates,
    )
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    read = gpu_reader()
    assert read is not None
    assert read() == {"gpu": 50.0}
    loads[0] = None
    assert read() == {}
    loads.clear()
    assert gpu_reader() is None


def test_this_machine_has_figures_in_percent() -> None:
    figures = machine_figures()()
    assert {"cpu", "memory"} <= figures.keys()
    assert all(0.0 <= value <= 100.0 for value in figures.values())
