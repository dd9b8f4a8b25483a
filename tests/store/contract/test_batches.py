"""Many tasks or none."""

from typing import Any

import pytest

from dispatcher.domain.errors import NotFound, QuotaExceeded, RateLimited, Unavailable
from dispatcher.domain.server import Transport
from dispatcher.domain.task import NewTask
from dispatcher.domain.transitions import TaskState
from dispatcher.service.ports import BatchTotals, RateRule, TaskQuery
from dispatcher.store.options import StoreOptions
from tests.store.conftest import OpenWorld
from tests.store.world import GATEWAY, ORIGIN, OWNER, World, new_task

RULE = RateRule("r", "ann", 1)


def some(n: int, **changes: Any) -> list[NewTask]:
    return [new_task(f"b{place:03}", spec=f'{{"ä":{place}}}'.encode(), **changes) for place in range(n)]


def totals(tasks: list[NewTask]) -> BatchTotals:
    return BatchTotals(ORIGIN, OWNER, tasks[0].demand, len(tasks), sum(len(task.payload) for task in tasks))


async def stage(world: World, tasks: list[NewTask], batch: str = "b") -> None:
    for start in range(0, len(tasks), 64):
        await world.store.batches.stage(batch, start, tasks[start : start + 64])


async def fill(world: World, batch: str = "b") -> None:
    while await world.store.batches.fill(batch):
        pass


async def listed(world: World) -> int:
    return (await world.store.tasks.find(TaskQuery(ORIGIN, OWNER)))[1]


async def drained(world: World, worker: str) -> list[str]:
    """The tasks in the order in which a worker gets them."""
    order = []
    for turn in range(1000):
        grant = await world.store.tasks.claim_next(
            worker, claim_id=f"c{turn}", nonce=f"n{turn}", gateway=GATEWAY, lease_ms=60_000
        )
        if grant is None:
            break
        order.append(grant.task_id)
    return order


async def test_staged_tasks_are_nowhere(world: World) -> None:
    await world.given_server("s1")
    await stage(world, some(3))
    await world.advance(1_000)
    await world.tick()
    assert await listed(world) == 0
    assert (await world.store.tasks.get("b000"))[0] is None
    assert await world.store.tasks.peek() == []
    assert (await world.store.stats.totals(ORIGIN, None)).created == 0


async def test_a_committed_batch_is_queued_in_its_order(world: World) -> None:
    await world.given_server("w1", max_concurrent=256, transport=Transport.PULL)
    tasks = some(130, facets=("even",), shy=True, points=7)
    await stage(world, tasks)
    created_ms, _ = await world.store.batches.commit("b", totals(tasks))
    assert created_ms == world.now
    await fill(world)
    assert await listed(world) == 130
    found = await world.task("b001")
    assert (found.spec, found.points, found.state) == ('{"ä":1}'.encode(), 7, TaskState.PENDING)
    assert (await world.store.stats.totals(ORIGIN, None)).created == 130
    assert await drained(world, "w1") == [task.id for task in tasks]


async def test_priorities_hold_within_a_batch(world: World) -> None:
    await world.given_server("w1", transport=Transport.PULL)
    tasks = [new_task("low"), new_task("high", boost_ms=60_000)]
    await stage(world, tasks)
    await world.store.batches.commit("b", totals(tasks))
    await fill(world)
    assert await drained(world, "w1") == ["high", "low"]


async def test_a_tick_goes_on_where_a_gateway_died(world: World) -> None:
    tasks = some(200)
    await stage(world, tasks)
    await world.store.batches.commit("b", totals(tasks))
    while (await world.store.tasks.tick(gateway=GATEWAY)).more:
        pass
    assert await listed(world) == 200


async def test_a_lost_answer_changes_nothing(world: World) -> None:
    tasks = some(70)
    await stage(world, tasks)
    await stage(world, tasks)
    first = await world.store.batches.commit("b", totals(tasks), rate=RULE)
    assert (await world.store.batches.commit("b", totals(tasks), rate=RULE))[0] == first[0]
    await stage(world, tasks)
    await fill(world)
    await fill(world)
    assert (await world.store.batches.commit("b", totals(tasks), rate=RULE))[0] == first[0]
    await fill(world)
    assert await listed(world) == 70
    assert (await world.store.stats.totals(ORIGIN, None)).created == 70


async def test_what_is_not_complete_or_too_old_cannot_be_committed(world: World) -> None:
    tasks = some(3)
    with pytest.raises(NotFound):
        await world.store.batches.commit("b", totals(tasks))
    await stage(world, tasks[:2])
    with pytest.raises(NotFound):
        await world.store.batches.commit("b", totals(tasks))
    await stage(world, tasks)
    await world.advance(60_000)
    with pytest.raises(NotFound):
        await world.store.batches.commit("b", totals(tasks))
    assert await listed(world) == 0


async def test_bounds_are_checked_for_all_of_it(open_world: OpenWorld) -> None:
    world = await open_world(StoreOptions(tenant_max=5))
    await world.given_task("t1")
    tasks = some(5)
    await stage(world, tasks)
    with pytest.raises(QuotaExceeded) as refused:
        await world.store.batches.commit("b", totals(tasks), rate=RULE)
    assert refused.value.rate is not None, "it was counted"
    assert await listed(world) == 1
    world = await open_world(StoreOptions(queue_max=4))
    await stage(world, tasks)
    with pytest.raises(Unavailable):
        await world.store.batches.commit("b", totals(tasks))
    fewer = some(4)
    await stage(world, fewer, "c")
    await world.store.batches.commit("c", totals(fewer))
    with pytest.raises(Unavailable):  # they count from the commit on
        await world.given_task("t2")
    await fill(world, "c")
    for task in fewer:
        await world.store.tasks.cancel(task.id, origin=ORIGIN, owner=OWNER)
    await world.given_task("t3")


async def test_it_counts_as_one_call(world: World) -> None:
    tasks = some(3)
    await stage(world, tasks)
    _, rate = await world.store.batches.commit("b", totals(tasks), rate=RULE)
    assert rate is not None
    assert rate.remaining == 0
    await stage(world, some(3), "c")
    with pytest.raises(RateLimited):
        await world.store.batches.commit("c", totals(tasks), rate=RULE)


async def test_a_batch_for_pushed_servers_is_started(world: World) -> None:
    await world.given_server("s1")
    tasks = some(2)
    await stage(world, tasks)
    await world.store.batches.commit("b", totals(tasks))
    await fill(world)
    await world.advance(300)
    assert len(await world.store.tasks.peek()) == 2


async def test_waiting_has_an_end(world: World) -> None:
    tasks = some(1, waiting_ms=5_000)
    await stage(world, tasks)
    await world.store.batches.commit("b", totals(tasks))
    await fill(world)
    await world.later(5_000)
    assert await world.state("b000") is TaskState.TIMEOUT
