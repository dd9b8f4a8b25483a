"""Three gateways on one Redis share out the work as one: equal loads are sent through all three."""

import asyncio
from collections import Counter

import pytest

from tests.e2e.world import World, many

pytestmark = pytest.mark.e2e
AT_ONCE = 24
FIRST_RIGHT_MS = 250
CHANGES = 2  # the guest comes and goes
sizes = pytest.mark.parametrize("tasks", [400, pytest.param(4_000, marks=pytest.mark.bench)])


async def _send(world: World, tasks: int) -> tuple[Counter[str], int]:
    """How many tasks each server has completed, and how many tasks took a second turn: where a gateway stalls, its
    first right ends and another gateway gives the task a turn of its own."""
    answers = await many(tasks, lambda _: world.run(), AT_ONCE)
    assert [a for a in answers if a["status"] != "COMPLETED"] == []
    late = sum(answer["startedAt"] - answer["createdAt"] >= FIRST_RIGHT_MS for answer in answers)
    return Counter(answer["serverId"] for answer in answers), late


@sizes
async def test_round_robin_gives_each_server_the_same(world: World, tasks: int) -> None:
    await world.algorithm("round-robin")
    servers = await world.servers(4)
    done, late = await _send(world, tasks)
    shares = [done[server.id] for server in servers]
    print(f"\nround-robin, 4 servers, {tasks} tasks: {shares}, {late} late")
    assert all(abs(share - tasks / 4) <= 1 + late for share in shares)


@sizes
async def test_weighted_round_robin_goes_by_weight(world: World, tasks: int) -> None:
    await world.algorithm("weighted-round-robin")
    servers = [await world.register(number, weight=weight) for number, weight in enumerate((3, 1, 1))]
    done, _ = await _send(world, tasks)
    shares = [done[server.id] / tasks for server in servers]
    print(f"\nweighted-round-robin 3:1:1, {tasks} tasks: {[f'{share:.2%}' for share in shares]}")
    assert all(abs(share - ideal) <= 0.01 for share, ideal in zip(shares, (0.6, 0.2, 0.2), strict=True))


@sizes
async def test_a_server_that_joins_and_leaves_only_shifts_the_phase(world: World, tasks: int) -> None:
    await world.algorithm("round-robin")
    servers = await world.servers(3)
    sending = asyncio.create_task(_send(world, tasks))
    await _until_done(world, tasks // 3)
    guest = await world.register(3)
    await _until_done(world, 2 * tasks // 3)
    await world.maintenance(guest, True)
    done, late = await sending
    shares = [done[server.id] for server in servers]
    print(f"\nround-robin, 3 servers and a guest, {tasks} tasks: {shares} + {done[guest.id]}, {late} late")
    assert done[guest.id] > 0
    assert max(shares) - min(shares) <= 1 + 2 * CHANGES + late, "each share is off by at most one per change"


async def _until_done(world: World, tasks: int) -> None:
    while True:
        done = 0
        for server_id in world.registered:
            metrics = await world.call("GET", f"/api/servers/{server_id}/metrics")
            done += metrics["metrics"]["tasksProcessed"]
        if done >= tasks:
            return
