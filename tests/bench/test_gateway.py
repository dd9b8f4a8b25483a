"""What one synchronous task costs a gateway, whole: JWT, create, claim, predict call, finish, answer.

CPU microseconds per task of the gateway's process, several rounds, the median. The work is verified:
every answer is COMPLETED and the server was asked exactly once per task.
"""

import statistics
from pathlib import Path

import psutil
import pytest

from tests.e2e.fleet import running_fleet
from tests.e2e.world import many, world_on

ROUNDS, TASKS, AT_ONCE = 5, 600, 32
VARIANTS = {
    "hypercorn + httpcore": {"DISPATCHER_SERVER__ENGINE": "hypercorn", "DISPATCHER_DISPATCH__HTTP_CLIENT": "httpx"},
    "granian + aiohttp": {"DISPATCHER_SERVER__ENGINE": "granian", "DISPATCHER_DISPATCH__HTTP_CLIENT": "aiohttp"},
}


def cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


@pytest.mark.bench
@pytest.mark.parametrize("variant", VARIANTS)
async def test_cpu_per_synchronous_task(variant: str, tmp_path: Path) -> None:
    with running_fleet(tmp_path, gateways=1, servers=4, **VARIANTS[variant]) as fleet:
        gateway = psutil.Process(fleet.gateways[0].process.pid)
        async with world_on(fleet) as world:
            servers = await world.servers(4)
            await many(100, lambda _: world.run(), AT_ONCE)
            figures = []
            for _ in range(ROUNDS):
                before = cpu_s(gateway)
                answers = await many(TASKS, lambda _: world.run(), AT_ONCE)
                figures.append((cpu_s(gateway) - before) / TASKS * 1e6)
                assert {answer["status"] for answer in answers} == {"COMPLETED"}
            assert sum([len(await server.calls()) for server in servers]) == 100 + ROUNDS * TASKS
    low, middle, high = min(figures), statistics.median(figures), max(figures)
    print(f"\n{variant}: {middle:.0f} us CPU per task of the gateway (min {low:.0f}, max {high:.0f})")
