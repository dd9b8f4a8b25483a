"""The order of the queue: urgency and age within a tenant, fairness between tenants."""

from typing import Any

from dispatcher.domain.failure import Verdict
from dispatcher.domain.grant import Grant
from dispatcher.domain.principal import Owner
from tests.store.backends import many_calls
from tests.store.world import World, done

A, B = Owner("a", "ann"), Owner("b", "bob")


async def busy_server(world: World, server_id: str = "s0", **changes: Any) -> Grant:
    """A server with one slot, taken by a task of nobody else's tenant."""
    await world.given_server(server_id, max_concurrent=1, **changes)
    return await world.running(f"first-{server_id}", server_id, owner=Owner("z", "z"), **changes)


async def serve(world: World, grant: Grant, n: int) -> list[Grant]:
    """The next n grants of that server, each ended as soon as the next one can start."""
    grants = []
    for _ in range(n):
        finished = await world.end(grant, done(), want_next=f"after-{grant.task_id}")
        assert finished.grant is not None
        grant = finished.grant
        grants.append(grant)
    return grants


async def served(world: World, grant: Grant, n: int) -> list[str]:
    return [one.task_id for one in await serve(world, grant, n)]


async def test_first_come_first_served(world: World) -> None:
    grant = await busy_server(world)
    for name in ("m", "z", "a"):
        await world.given_task(name)
        await world.advance(1)
    assert await served(world, grant, 3) == ["m", "z", "a"]


async def test_equal_tasks_go_by_id(world: World) -> None:
    grant = await busy_server(world)
    for name in ("m", "z", "a"):
        await world.given_task(name)
    assert await served(world, grant, 3) == ["a", "m", "z"]


async def test_urgency_is_worth_waiting_time(world: World) -> None:
    grant = await busy_server(world)
    await world.given_task("old")
    await world.advance(59_999)
    await world.given_task("urgent", boost_ms=60_000)
    await world.advance(2)
    await world.given_task("later", boost_ms=60_000)
    assert await served(world, grant, 3) == ["urgent", "old", "later"]


@many_calls
async def test_one_tenant_with_1000_queued_and_an_urgent_task_starts_next(world: World) -> None:
    grant = await busy_server(world)
    for n in range(1_000):
        await world.given_task(f"t{n:04}", owner=A)
    await world.advance(500)
    await world.given_task("urgent", owner=A, points=100, boost_ms=600_000)
    assert await served(world, grant, 2) == ["urgent", "t0000"]


async def test_two_tenants_take_turns(world: World) -> None:
    grant = await busy_server(world)
    for n in range(3):
        await world.given_task(f"a{n}", owner=A)
    for n in range(3):
        await world.given_task(f"b{n}", owner=B)
    assert await served(world, grant, 6) == ["a0", "b0", "a1", "b1", "a2", "b2"]


@many_calls
async def test_a_small_tenant_waits_at_most_twice_what_it_waits_alone(world: World) -> None:
    grant = await busy_server(world)
    for n in range(2_000):
        await world.given_task(f"a{n:04}", owner=A)
    grant = (await serve(world, grant, 5))[-1]
    assert grant.task_id == "a0004"
    for n in range(10):
        await world.given_task(f"b{n}", owner=B)
    order = await served(world, grant, 20)
    assert [name for name in order if name.startswith("b")] == [f"b{n}" for n in range(10)]


async def test_a_weight_is_a_share(world: World) -> None:
    grant = await busy_server(world)
    for n in range(6):
        await world.given_task(f"a{n}", owner=A, weight=2)
        await world.given_task(f"b{n}", owner=B)
    order = await served(world, grant, 6)
    assert sum(name.startswith("a") for name in order) == 4


async def test_an_idle_tenant_saves_up_nothing(world: World) -> None:
    grant = await busy_server(world)
    for n in range(6):
        await world.given_task(f"a{n}", owner=A)
    grant = (await serve(world, grant, 4))[-1]
    for n in range(3):
        await world.given_task(f"b{n}", owner=B)
    assert await served(world, grant, 4) == ["b0", "a4", "b1", "a5"]


async def test_a_tenants_lanes_are_one_line(world: World) -> None:
    grant = await busy_server(world, capabilities=["gpu", "cpu"])
    for n, kind in enumerate(("gpu", "cpu", "gpu", "cpu")):
        await world.given_task(f"t{n}", owner=A, capabilities=[kind])
        await world.advance(1)
    assert await served(world, grant, 4) == ["t0", "t1", "t2", "t3"]


async def test_fairness_holds_across_lanes(world: World) -> None:
    grant = await busy_server(world, capabilities=["gpu", "cpu"])
    for n in range(3):
        await world.given_task(f"a{n}", owner=A, capabilities=["gpu"])
        await world.advance(1)
    for n in range(3):
        await world.given_task(f"b{n}", owner=B, capabilities=["cpu"])
    assert await served(world, grant, 6) == ["a0", "b0", "a1", "b1", "a2", "b2"]


async def test_a_requeued_task_keeps_its_place(world: World) -> None:
    grant = await busy_server(world)
    await world.given_task("t1", owner=A)
    await world.advance(1)
    await world.given_task("t2", owner=A)
    finished = await world.end(grant, done(), want_next="n1")
    assert finished.grant is not None
    again = await world.end(finished.grant, Verdict.RELEASED, want_next="n2")
    assert again.grant is not None
    assert (again.grant.task_id, again.grant.fence) == ("t1", 2)


async def test_a_grant_passes_by_at_most_three_heads(world: World) -> None:
    """A head under a first right is left to its gateway, but a server looks no further than four heads."""
    grant = await busy_server(world)
    await world.given_server("s9", max_concurrent=9)
    for n in range(3):
        await world.given_task(f"t{n}", owner=A)  # each under a first right
    await world.store.servers.set_maintenance("s9", True, "")
    await world.given_task("free", owner=A, boost_ms=-1_000)
    finished = await world.end(grant, done(), want_next="n1")
    assert finished.grant is not None
    assert finished.grant.task_id == "free"


async def test_behind_four_skipped_heads_nothing_is_granted(world: World) -> None:
    grant = await busy_server(world)
    await world.given_server("s9", max_concurrent=9)
    for n in range(4):
        await world.given_task(f"t{n}", owner=A)
    await world.store.servers.set_maintenance("s9", True, "")
    await world.given_task("free", owner=A, boost_ms=-1_000)
    assert (await world.end(grant, done(), want_next="n1")).grant is None
