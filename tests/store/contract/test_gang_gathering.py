"""A gang that was passed over for long gathers the workers that it needs, and holds nobody in vain."""

from tests.store.gangs import GATHER_MS, ask, end, gang, workers
from tests.store.world import GATEWAY, OWNER, World, done


async def test_two_gangs_that_need_all_workers_do_not_block_each_other(world: World) -> None:
    await workers(world, "w1", "w2", "w3")
    await gang(world, "t1", 3)
    await gang(world, "t2", 3)
    order = []
    for _ in range(2):
        grants = [await ask(world, name) for name in ("w1", "w2", "w3", "w1", "w2")]
        got = [grant for grant in grants if grant is not None]
        assert len(got) == 3
        order.append({grant.task_id for grant in got})
        for n, grant in enumerate(got):
            await end(world, grant, done(digest=f"d{n}"))
    assert order == [{"t1"}, {"t2"}]


async def test_a_gang_that_was_passed_over_gathers_its_workers(world: World) -> None:
    await workers(world, "w1", "w2")
    await gang(world, "g", 2)
    await world.advance(1)
    for n in range(20):
        await gang(world, f"s{n}", 1)
    first = await ask(world, "w1")
    assert first is not None
    assert first.task_id == "s0"
    second = await ask(world, "w2")
    assert second is not None
    await world.later(15_000)
    for worker in ("w1", "w2"):
        await world.beat(worker)
    await world.later(15_000)
    await world.store.coordination.presence(GATEWAY)
    await end(world, first, done())
    again = await ask(world, "w1")  # passed over for 30 s: this makes it gather
    assert again is None
    await end(world, second, done())
    zero = await ask(world, "w2")
    assert zero is not None
    assert zero.task_id == "g"


async def test_a_gathering_gang_that_is_gone_holds_nobody(world: World) -> None:
    await workers(world, "w1", "w2")
    await gang(world, "g", 2)
    assert await ask(world, "w1") is None
    await world.later(GATHER_MS)
    await world.beat("w2")  # it is there, and does not ask
    assert await ask(world, "w1") is None
    await gang(world, "s", 1)
    assert await ask(world, "w1") is None  # held
    await world.store.tasks.cancel("g", origin="native", owner=OWNER)
    grant = await ask(world, "w1")
    assert grant is not None
    assert grant.task_id == "s"


async def test_a_gang_with_too_few_workers_to_wait_for_holds_nobody(world: World) -> None:
    await workers(world, "w1", "w2")
    await gang(world, "g", 3)
    assert await ask(world, "w1") is None
    await world.later(GATHER_MS)
    await gang(world, "s1", 1)
    await gang(world, "s2", 1)
    first = await ask(world, "w1")
    assert first is not None
    assert first.task_id == "s1"
    await workers(world, "w3")
    assert await ask(world, "w2") is None, "from now on there are enough"
    await world.store.servers.remove("w3")
    assert (await ask(world, "w2")) is not None, "and now no more"
