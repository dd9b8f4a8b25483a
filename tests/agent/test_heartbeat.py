"""Whatever a machine is like, the gateway takes what is told of it."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from dispatcher.agent.gpus import Gpus
from dispatcher.agent.heartbeat import MOST_MODELS, MOST_RUNNING, heartbeat
from dispatcher.dialects.native.requests import Heartbeat
from dispatcher.dialects.native.validation import validate
from dispatcher.dialects.native.wire_servers import metrics_text
from dispatcher.web.jsonbody import parse_object
from tests.agent.test_machine import GB, nvml

GPU = {"model": "NVIDIA H100 80GB HBM3", "memory_total": 80 * GB, "memory_used": 79 * GB, "temperature": 65}


def a_model(name: str = "m", **changes: int) -> dict[str, Any]:
    return {"model": name, "memory": 1, "gpuMemory": 0, "loadTime": 1, "active": 0, **changes}


def taken(told: dict[str, Any]) -> Heartbeat:
    """As the gateway reads it; raises for one that it refuses."""
    message = parse_object(json.dumps(told).encode())
    body = validate(Heartbeat, message.members)
    metrics_text(body, message)
    return body


def test_an_ordinary_one_is_told_as_it_is() -> None:
    told = taken(heartbeat("b1", {"cpu": 3.5, "gpus": [GPU]}, ["t1"], [a_model()]))
    assert (told.boot_id, told.metrics, told.running) == ("b1", {"cpu": 3.5, "gpus": [GPU]}, ["t1"])
    assert [model.model for model in told.models or ()] == ["m"]


def test_of_very_many_gpus_the_first_ones_are_told() -> None:
    told = taken(heartbeat("b1", {"cpu": 1.0, "gpus": [GPU] * 500}, [], []))
    assert told.metrics["cpu"] == 1.0
    assert 20 < len(told.metrics["gpus"]) < 500
    assert taken(heartbeat("b1", {"cpu": 1.0, "system": "x" * 9_000}, [], [])).metrics == {}


@pytest.mark.parametrize(("count", "told"), [(MOST_RUNNING, MOST_RUNNING), (MOST_RUNNING + 1, None)])
def test_a_list_of_tasks_is_told_whole_or_not_at_all(count: int, told: int | None) -> None:
    running = taken(heartbeat("b1", {}, [f"t{n}" for n in range(count)], [])).running
    assert (None if running is None else len(running)) == told


def test_models_and_what_they_take_are_bounded() -> None:
    models = [a_model(f"m{n}", memory=1 << 60) for n in range(MOST_MODELS + 1)]
    told = taken(heartbeat("b1", {}, [], models)).models
    assert told is not None
    assert (len(told), told[0].memory) == (MOST_MODELS, 1 << 53)


def test_what_a_driver_does_not_know_is_no_amount() -> None:
    unknown = SimpleNamespace(pid=1, usedGpuMemory=(1 << 64) - 1)
    gpus = Gpus(nvml(nvmlDeviceGetComputeRunningProcesses=lambda handle: [unknown]))
    assert gpus.memory_of([1]) == 0
