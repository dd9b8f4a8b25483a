"""The task's steps, the machine's figures, and when a connection is tried again."""

import asyncio
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from dispatcher_sdk.farm import FarmTask, Pace, Refused, Stopped
from dispatcher_sdk.farm.link import Link
from dispatcher_sdk.farm.machine import Machine, ask_nvidia_smi
from dispatcher_sdk.farm.reports import Reports
from tests.sdk.farm.scripted import scripted


def test_a_task_that_says_little_has_defaults() -> None:
    told: list[tuple[float, Mapping[str, Any]]] = []
    config = {"rank": True, "world_size": "3", "attempt": -1, "checkpoint_path": 7}
    task = FarmTask("t", config=config, requirements={}, report=lambda task, *report: told.append(report))
    assert (task.rank, task.world_size, task.attempt, task.checkpoint_path) == (0, 1, None, None)
    task.step(-3)
    task.step(130, {"loss": 1.0}, "/c")
    assert told == [(0.0, {}), (100.0, {"loss": 1.0})]
    task.pause()
    task.stop()
    with pytest.raises(Stopped):
        task.step(50)
    assert told[-1] == (50.0, {}), "the last step is told as well"


def test_gpus_as_nvidia_smi_lists_them() -> None:
    lines = "0, NVIDIA RTX 3080, 10240, 3072, 80\n1, NVIDIA A100, 40960, [N/A], [N/A]\nno devices\n"
    info, resources = Machine(gpus=lambda: lines).read()
    assert info["gpu_usage"] == 40.0
    assert resources["gpu"] == [
        {"id": 0, "name": "NVIDIA RTX 3080", "memory": {"total": 10240, "used": 3072}},
        {"id": 1, "name": "NVIDIA A100", "memory": {"total": 40960, "used": 0}},
    ]
    assert resources["cpu"]["cores"] >= 1
    assert 0 < resources["ram"]["used"] < resources["ram"]["total"]


def test_a_machine_without_any_figures_has_zeros(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "psutil", None)
    monkeypatch.setattr("dispatcher_sdk.farm.machine.host_reader", lambda: None)
    assert ask_nvidia_smi() == ""
    info, resources = Machine({"cpu": {"cores": 2}}).read()
    assert info == {"cpu_usage": 0.0, "ram_usage": 0.0, "gpu_usage": 0.0}
    assert resources == {"cpu": {"cores": 2}}


async def test_the_pauses_grow_and_each_is_drawn_from_all_of_its_length() -> None:
    chances, pauses = iter([0.5, 1.0, 0.0, 1.0, 1.0, 1.0]), list[float]()

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        gateway.refusals = [503] if len(pauses) < 6 else [401]

    async def opened() -> None: ...

    async with scripted() as gateway:
        gateway.refusals = [503]
        pace = Pace(first_pause=1.0, longest_pause=10.0)
        link = Link(
            gateway.url, {}, opened=opened, received=print, pace=pace, rng=lambda: next(chances), sleep=sleep
        )  # fmt: skip
        with pytest.raises(Refused):
            await link.keep()
    assert pauses == [0.5, 2.0, 0.0, 8.0, 10.0, 10.0]
    assert not await link.send("nobody hears this")


async def test_a_cancellation_that_comes_with_the_acknowledgement_counts() -> None:
    async def send(message: Mapping[str, Any]) -> bool:
        return True

    reports = Reports(send, Pace())
    delivering = asyncio.create_task(reports.deliver({"task_id": "t1"}, asyncio.Event()))
    await asyncio.sleep(0)
    reports.acknowledge({"task_id": "t1", "received": True})
    delivering.cancel()
    await asyncio.wait({delivering})
    assert delivering.cancelled()
