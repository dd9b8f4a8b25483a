"""A gateway that dies takes nothing with it."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator

import pytest

from dispatcher.domain.lane import Demand
from dispatcher.domain.principal import Owner
from dispatcher.domain.task import NewTask
from tests.e2e.fleet import Fleet, running_fleet
from tests.e2e.world import World, many, world_on

pytestmark = pytest.mark.e2e
LEASE_S = 3


@pytest.fixture(scope="module")
def hasty_fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Two gateways whose leases are short."""
    directory = tmp_path_factory.mktemp("hasty")
    with running_fleet(directory, gateways=2, servers=3, DISPATCHER_DISPATCH__LEASE=f"{LEASE_S}s") as fleet:
        yield fleet


@pytest.fixture
async def hasty(hasty_fleet: Fleet) -> AsyncIterator[World]:
    async with world_on(hasty_fleet) as world:
        yield world


def _new_task(world: World) -> NewTask:
    return NewTask(
        id=f"task_{secrets.token_hex(10)}",
        origin="native",
        owner=Owner("default", "ann"),
        type="t",
        demand=Demand("predict", frozenset({world.capability})),
        points=0,
        boost_ms=0,
        spec=b"{}",
        payload=b"{}",
        timeout_ms=60_000,
    )


async def test_a_task_whose_gateway_died_before_its_claim_starts_elsewhere(world: World) -> None:
    """The creator is this test: it gets the first right from the store, and does nothing with it."""
    servers = await world.servers(4)
    tasks = {}
    for _ in range(20):
        task = _new_task(world)
        created = await world.store.tasks.create(task, gateway="gw_dead")
        assert created.candidates is not None, "it has the first right"
        tasks[task.id] = created.created_ms / 1000
        await asyncio.sleep(0.07)  # at different moments of the gateways' seconds
    ends = [await world.ended(task_id) for task_id in tasks]
    started = {call["task"]: call["at"] for server in servers for call in await server.calls()}
    waited = sorted(started[task_id] - created for task_id, created in tasks.items())
    print(f"\ngateway gone between create and claim: started after {waited[0]:.2f} to {waited[-1]:.2f} s")
    assert {task["status"] for task in ends} == {"COMPLETED"}
    assert waited[0] >= 0.24, "the first right was kept"
    assert waited[-1] <= 1.3


async def test_what_a_killed_gateway_was_forwarding_is_done_again_once(hasty: World) -> None:
    servers = await hasty.servers(3)
    for server in servers:
        await server.set(latency=60)
    with hasty.fleet.more_gateways() as (victim,):
        tasks = await many(12, lambda _: hasty.create(via=victim.url), at_once=12)
        for server in servers:
            await server.until_open(4)
        for server in servers:
            await server.set(latency=0.05)
        victim.kill()
        killed_at = asyncio.get_running_loop().time()
        ends = [await hasty.ended(task) for task in tasks]
        took = asyncio.get_running_loop().time() - killed_at
    calls = [call for server in servers for call in await server.calls()]
    print(f"\ngateway killed with 12 open calls: all done again after {took:.1f} s (lease {LEASE_S} s)")
    assert {task["status"] for task in ends} == {"COMPLETED"}
    assert [len(task["attempts"]) for task in ends] == [2] * 12
    assert sorted(call["task"] for call in calls if call["status"] == 200) == sorted(tasks), "each answered once"
    stats = await hasty.call("GET", "/api/stats/tasks")
    assert stats["totalTasks"] == stats["successfulTasks"] == 12
    assert stats["processingTasks"] == stats["pendingTasks"] == 0
    assert took <= LEASE_S + 4


async def test_a_killed_gateway_that_granted_others_work_loses_none_of_it(hasty: World) -> None:
    """Four slots and a queue, so that every finish grants the next task; the gateway that began it all dies."""
    before = await hasty.call("GET", "/api/stats/tasks")
    servers = await hasty.servers(2, most=2)
    for server in servers:
        await server.set(latency=0.1)
    with hasty.fleet.more_gateways() as (victim,):
        tasks = [await hasty.create(via=victim.url) for _ in range(4)]
        urls = [victim.url, *hasty.fleet.urls]
        tasks += await many(86, lambda n: hasty.create(via=urls[n % 3]), at_once=12)
        victim.kill()
        ends = [await hasty.ended(task) for task in tasks]
    again = sum(len(task["attempts"]) > 1 for task in ends)
    print(f"\ngateway killed under a queue of 90: {again} tasks were done again")
    assert {task["status"] for task in ends} == {"COMPLETED"}
    assert again >= 1, "it had work in hand"
    stats = await hasty.call("GET", "/api/stats/tasks")
    assert stats["successfulTasks"] - before["successfulTasks"] == 90
    for server in servers:
        assert (await hasty.store.servers.get(server.id)).active == 0
