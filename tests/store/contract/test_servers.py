"""Registered servers: their record, signs of life, maintenance, and what becomes of their work."""

import pytest

from dispatcher.domain.errors import NotFound, Unavailable
from dispatcher.domain.failure import Outcome, Verdict
from dispatcher.domain.grant import Candidates, FreeServer
from dispatcher.domain.lane import Demand, Offer
from dispatcher.domain.server import Endpoints, NewServer, ServerHealth, ServerStatus
from dispatcher.domain.task import AttemptStatus
from dispatcher.domain.transitions import TaskState
from dispatcher.store.options import StoreOptions
from tests.store.conftest import OpenWorld
from tests.store.world import GATEWAY, ORIGIN, World, by, new_server


async def test_all_that_was_registered_comes_back(world: World) -> None:
    new = NewServer(
        "s1", ORIGIN, "First", Endpoints("http://p", "http://h", "http://m", "http://c"),
        Offer(frozenset({"predict"}), frozenset({"gpu"}), frozenset({"eu"})), b"sealed\x00\xff", 7, 3,
    )  # fmt: skip
    server = await world.store.servers.put(new)
    assert server == await world.store.servers.get("s1")
    for field in ("id", "origin", "name", "endpoints", "offer", "sealed_key", "max_concurrent", "weight"):
        assert getattr(server, field) == getattr(new, field)
    assert (server.registered_ms, server.last_seen_ms, server.status) == (world.now, world.now, ServerStatus.ONLINE)
    assert (server.active, server.reported_active, server.maintenance) == (0, None, False)
    assert b"sealed" not in repr(server).encode()


async def test_the_sequence_is_that_of_registration(world: World) -> None:
    for server_id in ("s3", "s1", "s2"):
        await world.given_server(server_id)
    await world.given_server("s3", max_concurrent=5)
    servers = await world.store.servers.all()
    assert [s.id for s in servers] == ["s3", "s1", "s2"]
    assert sorted(s.seq for s in servers) == [s.seq for s in servers]
    assert servers[0].max_concurrent == 5


async def test_unknown_servers(world: World) -> None:
    servers = world.store.servers
    for call in (
        servers.get("s1"), servers.remove("s1"), world.beat("s1"), servers.set_maintenance("s1", True, ""),
    ):  # fmt: skip
        with pytest.raises(NotFound):
            await call
    await servers.probed("s1", True)
    assert await servers.all() == []


async def test_a_heartbeat_tells_how_the_server_is(world: World) -> None:
    await world.given_server("s1")
    await world.advance(10)
    beat = await world.beat("s1", active=3, health=ServerHealth.DEGRADED, metrics='{"gpu": 0.5}')
    server = await world.store.servers.get("s1")
    assert beat == server
    assert (server.last_seen_ms, server.reported_active, server.metrics) == (world.now, 3, '{"gpu": 0.5}')
    assert (server.health, server.status) == (ServerHealth.DEGRADED, ServerStatus.DEGRADED)


async def test_the_load_that_others_cause_counts(world: World) -> None:
    await world.given_server("s1", max_concurrent=4)
    await world.running("t1", "s1")
    await world.beat("s1", active=3)
    found = (await world.given_task("t2")).candidates
    assert found == Candidates((FreeServer("s1", 3.0),))
    await world.beat("s1", active=4)
    assert (await world.given_task("t3")).candidates is None
    assert await world.active("s1") == 1


async def test_a_silent_server_goes_offline_and_a_heartbeat_brings_it_back(world: World) -> None:
    await world.given_server("s1")
    await world.later(29_999)
    assert (await world.store.servers.get("s1")).online
    await world.later(1)
    assert (await world.store.servers.get("s1")).status is ServerStatus.OFFLINE
    assert (await world.given_task("t1")).candidates is None
    await world.beat("s1")
    assert (await world.store.servers.get("s1")).online
    assert (await world.given_task("t2")).candidates is not None


async def test_a_silent_server_with_a_health_endpoint_is_probed(world: World) -> None:
    await world.given_server("s1", health="http://s1/health")
    await world.advance(30_000)
    assert (await world.store.tasks.tick(gateway=GATEWAY)).probes == ("s1",)
    assert (await world.store.tasks.tick(gateway=GATEWAY)).probes == ()
    await world.advance(5_000)  # the gateway that was to ask died
    assert (await world.store.tasks.tick(gateway=GATEWAY)).probes == ("s1",)
    await world.store.servers.probed("s1", True)
    assert (await world.store.servers.get("s1")).online
    await world.advance(10_000)
    assert (await world.store.tasks.tick(gateway=GATEWAY)).probes == ("s1",)
    await world.store.servers.probed("s1", False)
    server = await world.store.servers.get("s1")
    assert not server.online
    assert server.last_seen_ms == world.now - 45_000
    await world.advance(10_000)
    assert (await world.store.tasks.tick(gateway=GATEWAY)).probes == ("s1",)
    await world.store.servers.probed("s1", True)
    assert (await world.store.servers.get("s1")).online


async def test_maintenance_means_no_new_work_until_it_ends(world: World) -> None:
    await world.given_server("s1")
    await world.running("t0", "s1")
    server = await world.store.servers.set_maintenance("s1", True, "new disk")
    assert (server.status, server.reason) == (ServerStatus.MAINTENANCE, "new disk")
    assert await world.state("t0") is TaskState.PROCESSING
    await world.beat("s1")
    await world.given_server("s1")  # it restarts and registers again
    assert (await world.given_task("t1")).candidates is None
    server = await world.store.servers.set_maintenance("s1", False, "")
    assert server.status is ServerStatus.ONLINE
    assert (await world.given_task("t2")).candidates is not None


async def test_the_work_of_an_unregistered_server_goes_back_uncounted(world: World) -> None:
    await world.given_server("s1")
    await world.running("t1", "s1")
    cancelled = await world.running("t2", "s1")
    await world.store.tasks.cancel("t2", origin=ORIGIN, owner=None)
    await world.store.servers.remove("s1")
    task = await world.task("t1")
    assert (task.state, task.losses, task.failures) == (TaskState.PENDING, 0, 0)
    assert task.attempts[0].status is AttemptStatus.RELEASED
    assert await world.store.servers.all() == []
    await world.given_server("s1")
    assert await world.active("s1") == 0
    await world.store.tasks.free_slot("t2", "s1", cancelled.fence)
    assert (await world.start("t1", "s1")).fence == 2


async def test_a_busy_server_rests_as_long_as_it_asked(world: World) -> None:
    await world.given_server("s1")
    grant = await world.running("t1", "s1")
    await world.end(grant, _busy(5_000))
    assert (await world.given_task("t2")).candidates is None
    await world.later(4_999)
    assert (await world.given_task("t3")).candidates is None
    await world.later(1)
    assert (await world.given_task("t4")).candidates is not None


@pytest.mark.parametrize(("asked", "rest"), [(0, 1_000), (1, 1_000), (3_600_000, 60_000)])
async def test_a_rest_is_at_least_a_second_and_at_most_a_minute(world: World, asked: int, rest: int) -> None:
    await world.given_server("s1")
    await world.end(await world.running("t1", "s1"), _busy(asked))
    assert (await world.store.servers.get("s1")).rest_until_ms == world.now + rest


def _busy(rest_ms: int) -> Outcome:
    return Outcome(Verdict.BUSY, rest_ms=rest_ms)


@pytest.mark.parametrize("how", ["boot", "again", "lists"])
async def test_accepted_work_that_a_server_no_longer_has_is_lost(world: World, how: str) -> None:
    await world.given_server("s1", max_concurrent=3)
    await world.beat("s1", boot_id="b1")
    accepted = await world.running("t1", "s1")
    await world.store.tasks.accept("t1", by(accepted), lease_ms=30_000)
    await world.running("t2", "s1")  # held by its gateway
    if how == "boot":
        await world.beat("s1", boot_id="b1")
        assert await world.state("t1") is TaskState.PROCESSING
        await world.beat("s1", boot_id="b2")
    elif how == "again":
        await world.given_server("s1", max_concurrent=3)
    else:
        await world.advance(1_000)
        await world.beat("s1", running=[])
        await world.advance(1_000)
        await world.beat("s1", running=["t1"])
        await world.advance(1_000)
        await world.beat("s1", running=["t2"])
        assert await world.state("t1") is TaskState.PROCESSING
        await world.advance(1_000)
        await world.beat("s1", running=[])
    task = await world.task("t1")
    assert (task.state, task.losses, task.attempts[0].status) == (TaskState.PENDING, 1, AttemptStatus.LOST)
    assert await world.state("t2") is TaskState.PROCESSING
    assert await world.active("s1") == 1


async def test_the_registry_follows_the_fleet(world: World) -> None:
    await world.given_server("s1", capabilities=["gpu"])
    await world.given_task("t1", capabilities=["gpu"])
    lane = Demand(capabilities=frozenset({"gpu"})).lane

    async def eligible() -> list[str]:
        await world.store.coordination.presence(GATEWAY)
        return [s.id for s in (await world.store.servers.snapshot()).fitting(lane)]

    assert await eligible() == ["s1"]
    await world.given_server("s2", capabilities=["gpu", "x"])
    await world.given_server("s3")
    assert await eligible() == ["s1", "s2"]
    await world.store.servers.set_maintenance("s1", True, "")
    assert await eligible() == ["s2"]
    await world.store.servers.remove("s2")
    assert await eligible() == []
    await world.store.servers.set_maintenance("s1", False, "")
    assert await eligible() == ["s1"]
    await world.later(30_000)
    assert await eligible() == []


async def test_an_unchanged_registry_is_the_same_object(world: World) -> None:
    await world.given_server("s1")
    first = await world.store.servers.snapshot()
    await world.given_task("t1")
    assert await world.store.servers.snapshot() is first
    assert await world.store.coordination.presence(GATEWAY) == first.epoch


async def test_the_algorithm_is_known_to_every_gateway(world: World) -> None:
    assert (await world.store.servers.snapshot()).algorithm == "round-robin"
    await world.store.servers.set_algorithm("random", by="root")
    await world.store.coordination.presence(GATEWAY)
    assert (await world.store.servers.snapshot()).algorithm == "random"


async def test_kinds_of_servers_are_bounded(open_world: OpenWorld) -> None:
    world = await open_world(StoreOptions(classes_max=2))
    await world.given_server("s1", capabilities=["a"])
    await world.given_server("s2", capabilities=["b"])
    with pytest.raises(Unavailable):
        await world.given_server("s3", capabilities=["c"])
    await world.given_server("s3", capabilities=["a"])
    await world.store.servers.remove("s2")
    await world.store.servers.put(new_server("s4", capabilities=["c"]))


async def test_a_listed_task_that_has_ended_keeps_its_slot(world: World) -> None:
    await world.given_server("s1", max_concurrent=1)
    grant = await world.running("t1", "s1")
    await world.store.tasks.accept("t1", by(grant), lease_ms=30_000)
    await world.store.tasks.cancel("t1", origin="native", owner=None)
    for _ in range(3):
        await world.later(20_000)
        await world.beat("s1", running=["t1"])
        assert await world.active("s1") == 1
    await world.beat("s1", running=[])
    await world.later(30_000)
    assert await world.active("s1") == 0
