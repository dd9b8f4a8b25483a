"""Gangs: n ranks of one attempt, each on a worker of its own, started together or not at all."""

from dispatcher.domain.lane import Offer
from dispatcher.domain.resources import NOTHING, Resources
from dispatcher.domain.transitions import TaskState
from tests.store.gangs import ask, end, gang, started, workers
from tests.store.world import World, done


async def test_all_ranks_start_together_each_on_its_own_worker(world: World) -> None:
    grants = await started(world, "t1", "w1", "w2", "w3")
    assert [(grant.rank, grant.gang, grant.fence) for grant in grants] == [(0, 3, 1), (1, 3, 1), (2, 3, 1)]
    assert {grant.server_id for grant in grants} == {"w1", "w2", "w3"}
    assert [await world.active(name) for name in ("w1", "w2", "w3")] == [1, 1, 1]
    assert await world.state("t1") is TaskState.PROCESSING
    assert (await world.task("t1")).gang == 3


async def test_too_few_workers_start_nothing(world: World) -> None:
    await workers(world, "w1", "w2")
    await gang(world, "t1", 3)
    assert await ask(world, "w1") is None
    assert await ask(world, "w2") is None
    assert await world.state("t1") is TaskState.PENDING
    assert [await world.active(name) for name in ("w1", "w2")] == [0, 0]


async def test_only_workers_that_wait_on_a_connection_join(world: World) -> None:
    await workers(world, "w1", "w2")
    await gang(world, "t1", 2)
    assert await ask(world, "w1", waits=False) is None
    assert await ask(world, "w2", waits=True) is None
    assert await ask(world, "w1", waits=False) is None
    assert (await ask(world, "w1")) is not None


async def test_a_gang_that_cannot_start_does_not_hold_up_what_is_behind_it(world: World) -> None:
    await workers(world, "w1")
    for n in range(6):
        await gang(world, f"g{n}", 2)
    await gang(world, "single", 1)
    grant = await ask(world, "w1")
    assert grant is not None
    assert grant.task_id == "single"


async def test_a_lost_answer_is_given_again_to_each_rank(world: World) -> None:
    await workers(world, "w1", "w2")
    await gang(world, "t1", 2)
    await ask(world, "w1")
    first = await ask(world, "w2", claim_id="a")
    second = await ask(world, "w1", claim_id="b")
    assert await ask(world, "w2", claim_id="a") == first
    assert await ask(world, "w1", claim_id="b") == second
    assert second is not None
    assert second.rank == 1


async def test_what_a_dead_gateways_workers_wanted_is_forgotten(world: World) -> None:
    await workers(world, "w1", "w2")
    await gang(world, "t1", 2)
    await world.store.servers.connect("w1", "s-w1b", "gw_dead")
    await world.store.servers.connect("w1", "s-w1", "gw_dead")
    assert await ask(world, "w1") is None
    assert await ask(world, "w2") is None


async def test_who_has_hung_up_is_given_no_rank(world: World) -> None:
    await workers(world, "w1", "w2")
    await gang(world, "t1", 2)
    assert await ask(world, "w1") is None
    await world.store.servers.disconnect("w1", "s-w1")
    assert await ask(world, "w2") is None


async def test_each_rank_takes_its_room(world: World) -> None:
    needs = Resources(gpu=1)
    await workers(world, "w1", "w2", "w3", resources=Resources(gpu=1))
    await world.store.servers.reoffer("w2", Offer(kinds=frozenset({"training"}), resources=Resources(gpu=0.5)))
    await gang(world, "t1", 2, needs=needs)
    assert await ask(world, "w2") is None
    assert await ask(world, "w1") is None
    zero = await ask(world, "w3")
    one = await ask(world, "w1")
    assert zero is not None
    assert one is not None
    assert [(await world.store.servers.get(name)).allocated for name in ("w1", "w2", "w3")] == [needs, NOTHING, needs]
    await end(world, one, done(digest="d1"))
    assert (await world.store.servers.get("w1")).allocated == NOTHING
