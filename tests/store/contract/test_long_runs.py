"""What shows only in the long run or at a bound: retention, rare ticks, dropped lanes, reused keys, large fleets."""

import pytest

from dispatcher.domain.errors import QuotaExceeded
from dispatcher.domain.failure import Outcome, Verdict
from dispatcher.domain.grant import Candidates
from dispatcher.domain.server import ServerHealth
from dispatcher.domain.transitions import TaskState
from dispatcher.service.ports import IdempotencyKey
from dispatcher.store.options import StoreOptions
from tests.store.backends import many_calls
from tests.store.conftest import OpenWorld
from tests.store.world import GATEWAY, ORIGIN, OWNER, World, by, done, new_task


async def test_retention_goes_on_beside_timers_that_never_rest(open_world: OpenWorld) -> None:
    world = await open_world(StoreOptions(retention_ms=60_000))
    await world.given_server("s0")
    await world.end(await world.running("t1", "s0"), done())
    for n in range(20):
        await world.given_server(f"probed{n}", health="http://health")
    for _ in range(100):  # one tick a second, in which some server always wants its probe
        await world.advance(1_000)
        for server_id in (await world.store.tasks.tick(gateway=GATEWAY)).probes:
            await world.store.servers.probed(server_id, True)
    assert (await world.store.tasks.get("t1"))[0] is None


async def test_where_ticks_are_rare_a_lease_is_spared_only_once(world: World) -> None:
    await world.given_server("s1")
    await world.running("t1", "s1")
    for _ in range(3):  # a scheduler drives the duties once a minute
        await world.advance(60_000)
        await world.store.servers.heartbeat("s1", health=ServerHealth.HEALTHY, active=None, metrics="{}")
        await world.tick()
    assert await world.state("t1") is TaskState.PENDING
    assert await world.active("s1") == 0


async def test_a_retry_finds_its_lane_again_after_it_was_dropped(open_world: OpenWorld) -> None:
    world = await open_world(StoreOptions(lanes_max=2))
    await world.given_server("s1", capabilities=["a", "b", "c", "d"])
    failed = await world.running("t1", "s1", capabilities=["a"])
    await world.end(failed, Verdict.FAILED)
    for other in ("b", "c", "d"):  # the bound is reached: lanes without a live task go
        await world.end(await world.running(other, "s1", capabilities=[other]), done())
    await world.store.tasks.retry("t1", origin=ORIGIN, owner=OWNER, waiting_ms=None)
    await world.advance(300)
    assert [w.task_id for w in await world.store.tasks.peek()] == ["t1"]
    await world.end(await world.start("t1", "s1"), done())


async def test_a_retry_counts_against_the_quota(open_world: OpenWorld) -> None:
    world = await open_world(StoreOptions(tenant_max=1))
    await world.given_server("s1")
    for task_id in ("t1", "t2"):
        await world.end(await world.running(task_id, "s1"), Verdict.FAILED)
    await world.store.tasks.retry("t1", origin=ORIGIN, owner=OWNER, waiting_ms=None)
    with pytest.raises(QuotaExceeded):
        await world.store.tasks.retry("t2", origin=ORIGIN, owner=OWNER, waiting_ms=None)
    assert await world.state("t2") is TaskState.FAILED


async def test_an_old_task_that_goes_leaves_a_newer_one_s_key(world: World) -> None:
    await world.given_server("s1")
    key = IdempotencyKey("k", "d", ttl_ms=1)
    await world.store.tasks.create(new_task("old"), gateway=GATEWAY, key=key)
    await world.end(await world.start("old", "s1"), done())
    fresh = IdempotencyKey("k", "d")
    for _ in range(100):  # keys expire by the engine's own clock
        created = await world.store.tasks.create(new_task("new"), gateway=GATEWAY, key=fresh)
        if created.task_id == "new":
            break
        await world.advance(10)
    await world.store.tasks.delete("old", origin=ORIGIN, owner=OWNER)
    again = await world.store.tasks.create(new_task("third"), gateway=GATEWAY, key=fresh)
    assert (again.task_id, again.replayed) == ("new", True)


@many_calls
async def test_a_scheduled_task_waits_from_its_time_on(world: World) -> None:
    await world.given_task("late", run_at_ms=world.now + 3_600_000)
    await world.later(3_600_000)
    await world.given_task("urgent", boost_ms=600_000)
    await world.given_server("s1", max_concurrent=1)
    await world.advance(300)
    assert (await world.start("late", "s1")).task_id == "urgent"  # behind it


async def test_a_server_out_of_reach_is_not_asked_again_at_once(world: World) -> None:
    await world.given_server("s1", max_concurrent=1)
    grant = await world.running("t1", "s1")
    finished = await world.end(grant, Outcome(Verdict.NOT_SENT), want_next="n2")
    assert (finished.grant, finished.candidates) == (None, None)
    assert await world.state("t1") is TaskState.PENDING


async def test_a_failing_health_page_says_nothing_against_fresh_heartbeats(world: World) -> None:
    await world.given_server("s1", health="http://health")
    await world.advance(10_000)
    await world.beat("s1")
    await world.store.servers.probed("s1", False)
    assert (await world.store.servers.get("s1")).online
    await world.later(29_000)
    await world.store.servers.probed("s1", False)
    assert (await world.store.servers.get("s1")).online
    await world.advance(1_000)
    await world.store.servers.probed("s1", False)
    assert not (await world.store.servers.get("s1")).online


@many_calls
async def test_of_a_large_fleet_the_few_free_ones_are_all_told(world: World) -> None:
    for n in range(70):
        await world.given_server(f"s{n:02}", max_concurrent=1)
    busy = [f"s{n:02}" for n in range(70) if n not in (7, 57)]
    for server_id in busy:
        await world.given_task(f"t{server_id}")
        await world.start(f"t{server_id}", server_id)
    found = (await world.given_task("last")).candidates
    assert found is not None
    assert sorted(free.server_id for free in found.free) == ["s07", "s57"]
    assert found.complete


async def test_of_a_large_free_fleet_the_sixteen_least_loaded_are_told(world: World) -> None:
    for n in range(70):
        await world.given_server(f"s{n:02}", max_concurrent=2)
    found = (await world.given_task("t")).candidates
    assert isinstance(found, Candidates)
    assert (len(found.free), found.complete) == (16, False)


async def test_an_accepted_attempt_has_no_grace_beyond_its_time(world: World) -> None:
    await world.given_server("s1", max_concurrent=2)
    held = await world.running("held", "s1", timeout_ms=5_000)
    accepted = await world.running("accepted", "s1", timeout_ms=5_000)
    assert await world.store.tasks.accept("accepted", by(accepted), lease_ms=30_000)
    await world.advance(5_000)
    await world.tick()
    assert await world.state("accepted") is TaskState.RETRYING
    assert await world.state("held") is TaskState.PROCESSING  # its gateway may be about to report
    await world.end(held, done())
