"""What a machine has and says, its GPUs by a stand-in of their library, and control groups in a directory."""

import asyncio
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dispatcher.agent import cgroups
from dispatcher.agent.cgroups import Groups, own_groups
from dispatcher.agent.gpus import Gpus, find_gpus
from dispatcher.agent.machine import Machine
from dispatcher.agent.task import Needs

GB = 1 << 30


class NVMLError(Exception):
    pass


def _untold(*_: object) -> Any:
    raise NVMLError


def nvml(**more: Any) -> Any:
    """The library, with one GPU, which does not tell its temperature."""
    known = {
        "NVMLError": NVMLError,
        "nvmlInit": lambda: None,
        "nvmlDeviceGetCount": lambda: 1,
        "nvmlDeviceGetHandleByIndex": lambda at: f"gpu{at}",
        "nvmlDeviceGetMemoryInfo": lambda handle: SimpleNamespace(total=24 * GB, used=6 * GB),
        "nvmlDeviceGetUtilizationRates": lambda handle: SimpleNamespace(gpu=80),
        "nvmlDeviceGetName": lambda handle: b"RTX 4090",
        "nvmlDeviceGetTemperature": _untold,
        "nvmlSystemGetDriverVersion": lambda: "550",
        "nvmlDeviceGetComputeRunningProcesses": lambda handle: [
            SimpleNamespace(pid=1, usedGpuMemory=GB),
            SimpleNamespace(pid=2, usedGpuMemory=None),
        ],
    }
    return SimpleNamespace(**(known | more))


def test_a_machine_with_a_gpu(tmp_path: Path) -> None:
    machine = Machine(str(tmp_path), Gpus(nvml()))
    totals, metrics = machine.totals(), machine.metrics()
    assert (totals["gpu"], totals["gpuMemoryMB"]) == (1, 24 * 1024)
    assert totals["cpu"] >= 1
    assert totals["memoryMB"] > 0
    assert metrics["gpu"] == 80
    assert metrics["gpus"] == [
        {"model": "RTX 4090", "memory_total": 24 * GB, "memory_used": 6 * GB, "temperature": None, "utilization": 80,
         "driver_version": "550"}
    ]  # fmt: skip
    assert 0 < metrics["system"]["memory_used"] < metrics["system"]["memory_total"]
    assert len(json.dumps(metrics)) < 8_192


def test_memory_of_a_process() -> None:
    gpus = Gpus(nvml())
    assert [gpus.memory_of(pid) for pid in (1, 2, 3)] == [GB, 0, 0]


def test_a_broken_gpu_does_not_count() -> None:
    def handle(at: int) -> str:
        return f"gpu{at}" if at != 1 else _untold()

    gpus = Gpus(nvml(nvmlDeviceGetCount=lambda: 3, nvmlDeviceGetHandleByIndex=handle))
    assert len(gpus.read()) == 2
    assert Gpus(nvml(nvmlDeviceGetCount=_untold)).read() == []


def test_a_gpu_without_memory_of_its_own(tmp_path: Path) -> None:
    totals = Machine(str(tmp_path), Gpus(nvml(nvmlDeviceGetMemoryInfo=_untold))).totals()
    assert totals["gpu"] == 1
    assert "gpuMemoryMB" not in totals, "the gateway takes no zero"


def test_without_a_driver_there_are_no_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (None, nvml(nvmlInit=_untold)):
        monkeypatch.setitem(sys.modules, "pynvml", module)
        gpus = find_gpus()
        assert gpus.read() == []
        assert "gpu" not in Machine(str(tmp_path), gpus).totals()
    monkeypatch.setitem(sys.modules, "pynvml", nvml())
    assert len(find_gpus().read()) == 1


@pytest.fixture
def tree(tmp_path: Path) -> tuple[Path, Path]:
    """A tree of control groups in which ours is delegated to us, and what says which ours is."""
    own = tmp_path / "fs" / "system.slice" / "agent.service"
    own.mkdir(parents=True)
    (own / "cgroup.controllers").write_text("cpu io memory pids\n")
    about = tmp_path / "cgroup"
    about.write_text("1:name=systemd:/x\n0::/system.slice/agent.service\n")
    return own, about


async def test_each_task_has_a_control_group_with_its_limits(
    tree: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cgroups, "KILLED_S", 0.05)
    own, about = tree
    groups = own_groups(tmp_path / "fs", about)
    assert groups is not None
    assert (own / "agent" / "cgroup.procs").read_text() == str(os.getpid()), "a group with children holds no processes"
    assert (own / "cgroup.subtree_control").read_text() == "+cpu +memory +pids"
    async with groups.one(Needs(cpu=0.5, memory=GB)) as members:
        here = members.parent
        assert members.name == "cgroup.procs"
        assert ((here / "cpu.max").read_text(), (here / "memory.max").read_text()) == ("50000 100000", str(GB))
        (here / "cgroup.kill").touch()
    assert (here / "cgroup.kill").read_text() == "1"
    async with groups.one(Needs()) as members:
        assert not (members.parent / "memory.max").exists()


async def test_a_group_is_removed_once_what_was_killed_is_gone(tmp_path: Path) -> None:
    async with Groups(tmp_path).one(Needs()) as members:
        (members.parent / "pids.max").unlink()  # such files do not count in a real one
        kill = members.parent / "cgroup.kill"
        kill.touch()
        asyncio.get_running_loop().call_later(0.05, kill.unlink)
    assert list(tmp_path.iterdir()) == []


async def test_without_the_file_that_kills_each_process_is_signalled(tmp_path: Path) -> None:
    """Kernels before 5.14 have none."""
    process = await asyncio.create_subprocess_exec("sleep", "600")
    async with Groups(tmp_path).one(Needs()) as members:
        (members.parent / "pids.max").unlink()
        members.write_text(f"0\n{process.pid}\n")
        gone = asyncio.create_task(process.wait())
        gone.add_done_callback(lambda _: members.unlink())
    assert await gone == -9
    assert list(tmp_path.iterdir()) == []


def test_where_there_is_no_such_tree_there_are_no_groups(tree: tuple[Path, Path], tmp_path: Path) -> None:
    own, about = tree
    (own / "cgroup.controllers").write_text("cpu\n")
    assert own_groups(tmp_path / "fs", about) is None
    about.write_text("1:cpu:/x\n")
    assert own_groups(tmp_path / "fs", about) is None
    assert own_groups(tmp_path / "nothing", tmp_path / "nothing") is None
