"""What tasks take of a server: counted as long as their slots, never above the totals, and kept for who waits long."""

import random

import pytest

from dispatcher.domain.errors import NotFound
from dispatcher.domain.failure import Outcome, Verdict
from dispatcher.domain.grant import Behind, Created, Full, Grant, Granted
from dispatcher.domain.lane import Offer
from dispatcher.domain.principal import Owner
from dispatcher.domain.resources import NOTHING, Resources
from dispatcher.domain.server import Transport
from dispatcher.domain.transitions import TaskState
from dispatcher.service.ports import BatchTotals
from tests.store.backends import many_calls
from tests.store.world import GATEWAY, LEASE_MS, ORIGIN, OWNER, World, by, done, held, new_task

GIB = 1 << 30
TOTALS = Resources(cpu=8, memory=32 * GIB, gpu=2)
SMALL, LARGE, WHOLE = Resources(cpu=2), Resources(cpu=6, memory=16 * GIB), Resources(cpu=8)


async def allocated(world: World, server_id: str = "s1") -> Resources:
    return (await world.store.servers.get(server_id)).allocated


def offered(created: Created) -> list[str]:
    return [server.server_id for server in created.candidates.free] if created.candidates else []


async def fetch(world: World, server_id: str) -> Grant | None:
    name = world.fresh("c")
    return await world.store.tasks.claim_next(
        server_id, claim_id=name, nonce=f"n{name}", gateway=GATEWAY, lease_ms=LEASE_MS
    )


async def drain(world: World, grants: list[Grant]) -> list[str]:
    """End these one after another, and tell what started instead."""
    started = []
    for grant in grants:
        found = await world.end(grant, done(), want_next=world.fresh("n"))
        if found.grant is not None:
            started.append(found.grant.task_id)
    return started


async def test_an_attempt_takes_what_its_task_needs_and_gives_it_back(world: World) -> None:
    await world.given_server("s1", resources=TOTALS)
    first = await world.running("t1", "s1", needs=LARGE)
    assert await allocated(world) == LARGE
    assert (await world.task("t1")).needs == LARGE
    second = await world.running("t2", "s1", needs=SMALL)
    assert await allocated(world) == LARGE + SMALL
    assert (await world.store.servers.snapshot()).servers["s1"].offer.resources == TOTALS
    await world.end(first, done())
    assert await allocated(world) == SMALL
    await world.end(second, Outcome(Verdict.FAILURE))
    assert await allocated(world) == NOTHING


async def test_what_was_not_declared_fits_anything_and_is_not_counted(world: World) -> None:
    await world.given_server("s1")
    await world.running("t1", "s1", needs=Resources(cpu=1000))
    assert await allocated(world) == NOTHING


async def test_the_exact_amounts_decide(world: World) -> None:
    await world.given_server("s1", resources=Resources(cpu=7))  # of the same rung as 8
    assert offered(await world.given_task("t1", needs=Resources(cpu=8))) == []
    assert isinstance(await world.claim("t1", "s1"), Full)
    tenths = [Resources(cpu=0.1), Resources(cpu=0.2), Resources(cpu=6.7)]
    for n, needs in enumerate(tenths):
        await world.running(f"u{n}", "s1", needs=needs)
    assert offered(await world.given_task("t2", needs=Resources(cpu=0.001))) == []
    assert offered(await world.given_task("t3")) == ["s1"]


async def test_a_refused_claim_names_servers_with_room_only(world: World) -> None:
    for name in ("s1", "s2", "s3"):
        await world.given_server(name, resources=TOTALS)
    await world.given_task("t1", needs=LARGE)
    for name in ("s1", "s2"):
        await world.running(f"on-{name}", name, needs=SMALL + SMALL)
    answer = await world.claim("t1", "s1")
    assert isinstance(answer, Full)
    assert [free.server_id for free in answer.candidates.free] == ["s3"]
    assert answer.candidates.complete
    loaded = await world.claim("t1", "s3", expected_load=0.0)
    assert isinstance(loaded, Granted)
    assert offered(await world.given_task("t2", needs=LARGE)) == []


@pytest.mark.parametrize("end", ["lease", "cancel", "timeout", "deleted", "reboot", "unregister"])
async def test_every_way_out_gives_it_back_with_the_slot(world: World, end: str) -> None:
    await world.given_server("s1", resources=TOTALS)
    grant = await world.running("t1", "s1", needs=LARGE, timeout_ms=5_000 if end == "timeout" else 300_000)
    if end in ("cancel", "deleted"):
        await world.store.tasks.cancel("t1", origin=ORIGIN, owner=OWNER)
        if end == "deleted":
            await world.store.tasks.delete("t1", origin=ORIGIN, owner=OWNER)
        assert await allocated(world) == LARGE  # it may still be at work
        await world.store.tasks.free_slot("t1", "s1", grant.fence)
    elif end == "reboot":
        await world.store.tasks.accept("t1", by(grant), lease_ms=30_000)
        await world.beat("s1", boot_id="b1")
        await world.beat("s1", boot_id="b2")
    elif end == "unregister":
        await world.store.servers.remove("s1")
        await world.given_server("s1", resources=TOTALS)
    else:
        await world.later(LEASE_MS + 1_000)
    assert await allocated(world) == NOTHING
    assert await world.active("s1") == 0


async def test_a_smaller_task_passes_a_head_without_room(world: World) -> None:
    await world.given_server("s1", resources=TOTALS)
    grants = [await world.running(f"t{n}", "s1", needs=SMALL) for n in range(4)]
    for n in range(6):  # more heads than are looked at; their lane is passed by as a whole
        await world.given_task(f"large{n}", needs=LARGE)
    await world.advance(300)
    await world.given_task("small", needs=SMALL)
    assert await drain(world, grants[:1]) == ["small"]
    await world.advance(300)
    await world.given_task("none")
    peeked = await world.store.tasks.peek()
    assert [head.task_id for head in peeked] == []
    await world.advance(300)
    assert [head.task_id for head in await world.store.tasks.peek()] == ["none"]


async def test_peek_names_a_head_once_there_is_room(world: World) -> None:
    await world.given_server("s1", resources=TOTALS)
    grant = await world.running("t1", "s1", needs=SMALL + SMALL)
    await world.given_task("large", needs=LARGE)
    await world.advance(300)
    assert await world.store.tasks.peek() == []
    await world.end(grant, done(), want_next=None)
    peeked = await world.store.tasks.peek()
    assert [(head.task_id, [f.server_id for f in head.candidates.free]) for head in peeked] == [("large", ["s1"])]


async def crowded(world: World) -> list[Grant]:
    """A full server, and a task that needs all of it and has found no room for 30 s."""
    await world.given_server("s1", resources=TOTALS)
    grants = [await world.running(f"t{n}", "s1", needs=SMALL, timeout_ms=0) for n in range(4)]
    await world.given_task("whole", needs=WHOLE)
    await world.advance(300)
    await world.given_task("next", needs=SMALL)
    assert await drain(world, grants[:1]) == ["next"]  # passed by for the first time
    for _ in range(4):
        await world.advance(7_500)
        await world.store.tasks.renew([held(g) for g in grants], gateway=GATEWAY, lease_ms=10 * LEASE_MS)
    await world.advance(1)
    return grants[1:]


async def test_a_task_that_waited_long_for_room_keeps_a_server(world: World) -> None:
    grants = await crowded(world)
    await world.given_task("small", needs=SMALL)
    await world.given_task("none")
    # "whole" keeps s1 from the first look on: nothing with needs starts there, what needs nothing does
    assert await drain(world, grants[:2]) == []
    assert isinstance(await world.claim("none", "s1"), Granted)
    assert offered(await world.given_task("small2", needs=SMALL)) == []
    assert isinstance(await world.claim("small", "s1"), Full)
    assert offered(await world.given_task("none2")) == ["s1"]
    await world.later(10 * LEASE_MS)  # the leases of what ran there end
    await world.beat("s1")
    first = await fetch(world, "s1")
    assert first is not None
    assert first.task_id == "whole"
    assert await world.state("small") is TaskState.PENDING


async def test_a_kept_server_is_free_again_when_the_task_is_gone(world: World) -> None:
    grants = await crowded(world)
    await world.given_task("small", needs=SMALL)
    assert await drain(world, grants[:1]) == []
    await world.store.tasks.cancel("whole", origin=ORIGIN, owner=OWNER)
    assert isinstance(await world.claim("small", "s1"), Granted)


async def test_it_may_start_elsewhere_and_then_keeps_nothing(world: World) -> None:
    grants = await crowded(world)
    await world.given_task("small", needs=SMALL)
    assert await drain(world, grants[:1]) == []
    await world.given_server("s2", resources=TOTALS)
    assert isinstance(await world.claim("whole", "s2"), Granted | Behind)
    assert isinstance(await world.claim("small", "s1"), Granted)


async def test_a_server_that_could_never_hold_it_is_not_kept(world: World) -> None:
    await world.given_server("s1", resources=Resources(cpu=7))
    grant = await world.running("t0", "s1", needs=SMALL)
    await world.given_task("whole", needs=WHOLE)
    await world.advance(1)
    for n in range(3):
        await world.given_task(f"small{n}", needs=SMALL)
    await world.advance(300)
    assert await drain(world, [grant]) == ["small0"]
    await world.later(31_000)
    assert await fetch_all(world, "s1") == ["small0", "small1", "small2"]


async def fetch_all(world: World, server_id: str) -> list[str]:
    """What a free server is given until there is no more for it."""
    found = []
    while grant := await fetch(world, server_id):
        found.append(grant.task_id)
    return sorted(found)


async def test_a_worker_that_fetches_is_given_what_fits(world: World) -> None:
    await world.given_server("w1", transport=Transport.PULL, resources=Resources(cpu=4))
    for name, cores in (("big", 5), ("t1", 3), ("t2", 2), ("t3", 1)):
        await world.given_task(name, needs=Resources(cpu=cores))
        await world.advance(1)
    assert await fetch_all(world, "w1") == ["t1", "t3"]
    assert await allocated(world, "w1") == Resources(cpu=4)


async def test_a_new_offer_keeps_the_record_and_what_runs(world: World) -> None:
    before = await world.given_server("s1", resources=TOTALS, capabilities=["a"], max_concurrent=3)
    grant = await world.running("t1", "s1", needs=SMALL, capabilities=["a"])
    await world.given_task("t2", capabilities=["b"])
    await world.store.servers.set_maintenance("s1", True, "why")
    offer = Offer(capabilities=frozenset("b"), resources=Resources(cpu=1))
    after = await world.store.servers.reoffer("s1", offer, max_concurrent=5)
    assert (after.seq, after.offer, after.max_concurrent, after.active) == (before.seq, offer, 5, 1)
    assert (after.allocated, after.maintenance, after.reason) == (SMALL, True, "why")
    await world.store.servers.set_maintenance("s1", False, "")
    assert offered(await world.given_task("t3", capabilities=["a"])) == []
    assert offered(await world.given_task("t4", capabilities=["b"])) == ["s1"]
    assert offered(await world.given_task("t5", capabilities=["b"], needs=Resources(cpu=1))) == []
    snapshot = await world.store.servers.snapshot()
    assert snapshot.servers["s1"].offer == offer
    assert (await world.end(grant, done(), want_next="n")).grant is not None
    assert (await world.store.servers.reoffer("s1", Offer())).max_concurrent == 5
    with pytest.raises(NotFound):
        await world.store.servers.reoffer("s2", offer)


async def test_the_same_offer_changes_nothing(world: World) -> None:
    await world.given_server("s1", resources=TOTALS)
    epoch = (await world.store.servers.snapshot()).epoch
    async with world.inbox() as inbox:
        await world.store.servers.reoffer("s1", Offer(resources=TOTALS), max_concurrent=10)
        assert (await world.store.servers.snapshot()).epoch == epoch
        await world.given_task("t1", capabilities=["a"])
        await world.store.servers.reoffer("s1", Offer(capabilities=frozenset("a"), resources=SMALL))
        await inbox.until(lambda message: message.kind == "wake")
    assert (await world.store.servers.snapshot()).epoch > epoch


async def test_a_batch_keeps_what_its_tasks_need(world: World) -> None:
    task = new_task("b1", needs=LARGE)
    await world.given_server("s1", resources=TOTALS)
    await world.store.batches.stage("batch", 0, [task])
    await world.store.batches.commit("batch", BatchTotals(ORIGIN, OWNER, task.demand, 1, len(task.payload)))
    await world.store.batches.fill("batch")
    await world.start("b1", "s1")
    assert await allocated(world) == LARGE


@many_calls
async def test_never_above_the_totals_and_always_the_sum_of_what_runs(world: World) -> None:
    rng = random.Random(7)
    totals = {"s1": TOTALS, "s2": Resources(cpu=3.3, memory=8 * GIB)}
    for name, amounts in totals.items():
        await world.given_server(name, resources=amounts, max_concurrent=6)
    grants: dict[str, Grant] = {}
    for n in range(120):
        needs = Resources(cpu=rng.choice([0, 0.1, 1, 2.7, 5]), memory=rng.choice([0, GIB, 7 * GIB]))
        await world.given_task(f"t{n:03}", needs=needs, owner=Owner(rng.choice("ab"), "x"))
        answer = await world.claim(f"t{n:03}", rng.choice(["s1", "s2"]))
        if isinstance(answer, Granted | Behind):
            grants[answer.grant.task_id] = answer.grant
        if grants and rng.random() < 0.6:
            grant = grants.pop(rng.choice(sorted(grants)))
            match rng.randrange(4):
                case 0:
                    await world.later(LEASE_MS)  # all gateways are killed: every lease ends
                    grants.clear()
                case 1:
                    await world.store.tasks.cancel(grant.task_id, origin=ORIGIN, owner=None)
                case _:
                    found = await world.end(grant, rng.choice([done(), Verdict.LOST]), want_next=world.fresh("n"))
                    if found.grant is not None:
                        grants[found.grant.task_id] = found.grant
        await world.advance(100)
        running = await world.store.tasks.running(list(totals))
        for server in await world.store.servers.all():
            assert server.allocated.fits_in(totals[server.id])
            sums = sum((task.needs for task in running[server.id]), NOTHING)
            assert sums.fits_in(server.allocated)
            assert sums == server.allocated or server.active > len(running[server.id])
    await world.later(2 * LEASE_MS)
    assert [server.allocated for server in await world.store.servers.all()] == [NOTHING, NOTHING]
