"""Faults in a row take a server out for a growing time, but never so many that the load has no place."""

from dispatcher.domain.failure import Outcome, Verdict
from dispatcher.domain.grant import Grant
from tests.store.backends import many_calls
from tests.store.world import GATEWAY, World, done


async def give(world: World, server_id: str) -> Grant:
    """A new task, started on this server."""
    return await world.running(world.fresh("t"), server_id)


async def fault(world: World, server_id: str, times: int = 3, verdict: Verdict = Verdict.FAILURE) -> None:
    for _ in range(times):
        await world.advance(1)
        grant = await give(world, server_id)
        await world.end(grant, verdict, retry_delay_ms=3_000_000)
        if verdict is Verdict.NOT_SENT:
            await world.store.tasks.cancel(grant.task_id, origin="native", owner=None)


async def ejected_ms(world: World, server_id: str) -> int:
    until = (await world.store.servers.get(server_id)).ejected_until_ms
    return until - world.now if until else 0


async def two_servers(world: World, **changes: str | None) -> None:
    for server_id in ("s1", "s2"):
        await world.given_server(server_id, max_concurrent=2, **changes)


async def alive(world: World, ms: int) -> None:
    """Time passes while both servers send heartbeats."""
    while ms > 0:
        step = min(ms, 5_000)
        await world.later(step)
        for server_id in ("s1", "s2"):
            await world.beat(server_id)
        ms -= step


async def test_three_faults_in_a_row_eject(world: World) -> None:
    await two_servers(world)
    await fault(world, "s1", 2)
    assert await ejected_ms(world, "s1") == 0
    await fault(world, "s1", 1)
    assert await ejected_ms(world, "s1") == 10_000
    assert not (await world.store.servers.get("s1")).eligible
    found = (await world.given_task("next")).candidates
    assert found is not None
    assert [free.server_id for free in found.free] == ["s2"]


async def test_refused_connections_are_faults_too(world: World) -> None:
    await two_servers(world)
    await fault(world, "s1", 3, Verdict.NOT_SENT)
    assert await ejected_ms(world, "s1") == 10_000


async def test_a_success_in_between_forgives(world: World) -> None:
    await two_servers(world)
    await fault(world, "s1", 2)
    await world.end(await give(world, "s1"), done())
    await fault(world, "s1", 2)
    assert await ejected_ms(world, "s1") == 0


async def test_the_tasks_own_fault_blames_nobody(world: World) -> None:
    await two_servers(world)
    for _ in range(4):
        await world.advance(1)
        await world.end(await give(world, "s1"), Verdict.FAILED)
    assert await ejected_ms(world, "s1") == 0


async def test_five_bare_busy_answers_are_one_fault(world: World) -> None:
    await two_servers(world)
    await fault(world, "s1", 2)
    for _ in range(5):
        assert await ejected_ms(world, "s1") == 0
        grant = await give(world, "s1")
        await world.end(grant, Verdict.BUSY)
        await world.store.tasks.cancel(grant.task_id, origin="native", owner=None)
        await world.later(1_000)
    assert await ejected_ms(world, "s1") == 9_000


async def test_busy_answers_with_a_time_are_good_manners(world: World) -> None:
    await two_servers(world)
    await fault(world, "s1", 2)
    for _ in range(6):
        grant = await give(world, "s1")
        await world.end(grant, Outcome(Verdict.BUSY, rest_ms=1_000))
        await world.store.tasks.cancel(grant.task_id, origin="native", owner=None)
        await world.later(1_000)
    assert await ejected_ms(world, "s1") == 0


async def test_never_more_than_half_of_the_fleet(world: World) -> None:
    for server_id in ("s1", "s2", "s3"):
        await world.given_server(server_id)
    await fault(world, "s1")
    await fault(world, "s2")
    assert await ejected_ms(world, "s1") > 0
    assert await ejected_ms(world, "s2") == 0


async def test_the_last_server_of_a_lane_is_never_ejected(world: World) -> None:
    await world.given_server("s1", capabilities=["gpu"])
    for server_id in ("s2", "s3", "s4"):
        await world.given_server(server_id)
    for n in range(4):
        await world.end(await world.running(f"g{n}", "s1", capabilities=["gpu"]), Verdict.FAILURE)
    assert await ejected_ms(world, "s1") == 0


async def test_never_below_what_the_load_needs(world: World) -> None:
    await world.given_server("s1", max_concurrent=4)
    await world.given_server("s2", max_concurrent=2)
    for n in range(3):
        await world.running(f"busy{n}", "s1")
    await fault(world, "s1")
    assert await ejected_ms(world, "s1") == 0


async def test_after_an_ejection_one_task_at_a_time_until_one_succeeds(world: World) -> None:
    await two_servers(world)
    await fault(world, "s1")
    await alive(world, 10_000)
    server = await world.store.servers.get("s1")
    assert (server.ejected_until_ms, server.probation) == (0, True)
    probe = await give(world, "s1")
    await world.advance(1)
    found = (await world.given_task("more")).candidates
    assert found is not None
    assert [free.server_id for free in found.free] == ["s2"]
    await world.end(probe, done())
    assert not (await world.store.servers.get("s1")).probation


@many_calls
async def test_a_fault_on_probation_ejects_at_once_and_for_longer(world: World) -> None:
    await two_servers(world)
    await fault(world, "s1")
    for length in (20_000, 40_000, 80_000, 160_000, 300_000, 300_000):
        await alive(world, 300_000)
        await fault(world, "s1", 1)
        assert await ejected_ms(world, "s1") == length


async def test_a_success_long_after_forgets_earlier_ejections(world: World) -> None:
    await two_servers(world)
    await fault(world, "s1")
    await alive(world, 10_000)
    await world.end(await give(world, "s1"), done())
    await fault(world, "s1")
    assert await ejected_ms(world, "s1") == 20_000
    await alive(world, 320_005)
    await world.end(await give(world, "s1"), done())
    await fault(world, "s1")
    assert await ejected_ms(world, "s1") == 10_000


async def test_with_a_health_endpoint_the_probe_decides(world: World) -> None:
    await two_servers(world, health="http://health")
    await fault(world, "s1")
    await world.advance(10_000)
    assert (await world.store.tasks.tick(gateway=GATEWAY)).probes == ("s1",)
    assert not (await world.store.servers.get("s1")).eligible
    await world.store.servers.probed("s1", False)
    assert await ejected_ms(world, "s1") == 10_000
    await world.advance(10_000)
    assert "s1" in (await world.store.tasks.tick(gateway=GATEWAY)).probes
    await world.store.servers.probed("s1", True)
    server = await world.store.servers.get("s1")
    assert (server.online, server.ejected_until_ms, server.probation) == (True, 0, True)


async def test_a_heartbeat_does_not_end_an_ejection(world: World) -> None:
    await two_servers(world)
    await fault(world, "s1")
    await world.beat("s1")
    assert await ejected_ms(world, "s1") == 10_000
