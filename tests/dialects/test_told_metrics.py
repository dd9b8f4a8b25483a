"""Whatever figures a worker tells of its machine: every answer that shows them stays an answer, and makes sense."""

import asyncio
import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.dialects.cluster.units import parse_size
from dispatcher.dialects.farm.clients import core_id
from dispatcher.dialects.native.wire_servers import MOST_METRICS
from tests.dialects.cluster.world import World

FARMER = core_id("default", "farmer.local")
NUMBERS = st.one_of(
    st.sampled_from([1e308, 10**400, -(10**400), 10**4000, 2**53, 2**53 - 1, 5e-324, -1, 0, 100.1]),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
ANYTHING = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
GPU = dict.fromkeys(("memory_total", "memory_used", "temperature", "utilization", "model"), NUMBERS | ANYTHING)
SYSTEM = dict.fromkeys(("memory_total", "memory_used", "cpu", "os"), NUMBERS | ANYTHING)
TOLD = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("cpu", "memory", "gpu"), NUMBERS),
        "gpus": st.lists(st.fixed_dictionaries({}, optional=GPU), max_size=4) | ANYTHING,
        "system": st.fixed_dictionaries({}, optional=SYSTEM) | ANYTHING,
        **dict.fromkeys(("system_info", "resources", "address"), ANYTHING),
    },
)

SHOWN = [
    *(f"/cluster{path}" for path in ("/workers", "/workers/worker-001", "/cluster/status", "/cluster/metrics")),
    *(f"/api/servers{path}" for path in ("", "/worker-001", "/worker-001/metrics", "/worker-001/telemetry")),
    *(f"/cloudai{path}" for path in ("/telemetry", "/telemetry/worker-001", "/api/workers", "/api/workers/worker-001")),
    *(f"/farm/api{path}" for path in ("/clients", "/clients/farmer.local", "/metrics")),
    "/jobs/metrics",
]
PERCENT = {"utilization", "gpu_utilization", "cpu_usage", "memory_usage", "gpu_usage", "ram_usage"}
SIZES = {"memory_total", "memory_used", "total_memory", "available_memory", "ram_total", "ram_used"}


async def opened() -> World:
    world = World(limits={"enabled": False})
    await world.worker()
    await world.worker(FARMER, origin="farm", title="farmer.local")
    return world


async def tells(world: World, told: dict[str, Any]) -> None:
    for name in ("worker-001", FARMER):
        raw = b'{"metrics":%b}' % json.dumps(told).encode()
        heard = await world.call("POST", f"/api/servers/{name}/heartbeat", "admin", raw=raw, prefix="")
        assert heard.status_code == (200 if len(raw) <= MOST_METRICS + len(b'{"metrics":}') else 400), heard.text
    world.clock.advance(1_001)  # the next one is another sample
    for path in SHOWN:
        answer = await world.call("GET", path, "admin", prefix="")
        assert answer.status_code == 200, (path, answer.text)
        if path != "/jobs/metrics":
            check(answer.text, path)


def check(text: str, path: str) -> None:
    for name, value in numbers(json.loads(text, parse_constant=pytest.fail)):
        if isinstance(value, str):
            assert name not in SIZES or 0 <= parse_size(value) < 8 * 2**53, (path, name, value)
        else:
            assert len(str(value).lstrip("-")) <= 330, (path, name)
            assert math.isfinite(float(value)), (path, name)
            assert name not in PERCENT or 0 <= value <= 100, (path, name, value)


def numbers(of: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Numbers and texts of an answer by name; what the native API shows as it came has none."""
    if isinstance(of, dict):
        for key, value in of.items():
            yield from numbers(value, key if name not in ("reported", "samples") else name)
    elif isinstance(of, list):
        for value in of:
            yield from numbers(value, name)
    elif isinstance(of, (int, float, str)) and not isinstance(of, bool):
        yield name, of


KNOWN: list[dict[str, Any]] = [
    {"gpus": [{"memory_total": 1e308}, {"memory_total": 1e308}]},
    {"gpus": [{"memory_total": 10**400, "utilization": 10**400, "temperature": 10**400}], "cpu": 10**400},
    {"system": {"memory_total": 1e308}, "memory": 1e5},
    {"gpus": [{"memory_total": 2**30, "memory_used": 2**40}], "cpu": -5, "gpu": 300},
]


def test_no_figure_of_a_worker_breaks_an_answer() -> None:
    with asyncio.Runner() as runner:
        world = runner.run(opened())
        for told in KNOWN:
            runner.run(tells(world, told))
        shown = runner.run(world.get("/workers/worker-001", "admin"))["gpu_info"]
        assert (shown["memory_used"], shown["memory_total"]) == ("1GB", "1GB"), "what the last of them told"

        @settings(max_examples=40, deadline=None)
        @given(TOLD)
        def any_figures(told: dict[str, Any]) -> None:
            runner.run(tells(world, told))

        any_figures()
        runner.run(world.close())
