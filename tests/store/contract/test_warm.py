"""Workers with a task's model in memory are preferred, for a moment and not at any price."""

from typing import Any

import pytest

from dispatcher.domain.failure import Outcome, Verdict
from dispatcher.domain.grant import Grant, Granted, Moved
from dispatcher.domain.reporter import ByHolder
from dispatcher.domain.resources import NOTHING, Resources
from dispatcher.domain.server import Transport
from tests.store.world import GATEWAY, World

WARM, COLD = "warm", "cold"


async def given_workers(world: World, *, waits: bool = True, takes: Resources = NOTHING, **changes: Any) -> None:
    """Two workers on sockets; one has the model m in memory, and waits for work."""
    await world.store.coordination.presence(GATEWAY)
    for name in (COLD, WARM):
        await world.given_server(name, transport=Transport.SOCKET, **changes)
        await world.store.servers.connect(name, f"s-{name}", GATEWAY)
    await world.store.placements.loaded(WARM, "m", takes, 1)
    if waits:
        assert await ask(world, WARM) is None


async def ask(world: World, worker: str) -> Grant | None:
    return await world.store.tasks.claim_next(
        worker, claim_id=world.fresh("c"), nonce="n", gateway=GATEWAY, lease_ms=30_000, session=f"s-{worker}"
    )


async def test_a_task_is_left_to_the_worker_that_waits_with_its_model(world: World) -> None:
    await given_workers(world)
    await world.given_task("t1", model="m")
    async with world.events() as events:
        assert await ask(world, COLD) is None
        told = await events.until(lambda event: event.fields.get("state") == "asked")
    assert told.fields["id"] == WARM
    grant = await ask(world, WARM)
    assert grant is not None
    assert grant.task_id == "t1"
    await world.given_task("t2", model="other")
    assert await ask(world, COLD) is not None


async def test_after_that_it_is_left_to_one_that_it_was_assigned_to(world: World) -> None:
    await given_workers(world, waits=False)
    for model in ("m", "n"):
        await world.store.placements.assign(model, [COLD], assignment="a", preload=False, priority=1)
    await world.given_server("other", transport=Transport.SOCKET)
    await world.store.servers.connect("other", "s-other", GATEWAY)
    assert await ask(world, COLD) is None

    async def goes_to(task_id: str, model: str, first: str, second: str) -> bool:
        await world.given_task(task_id, model=model)
        passed, grant = await ask(world, first), await ask(world, second)
        return passed is None and grant is not None and grant.task_id == task_id

    assert await goes_to("t1", "n", "other", COLD)
    assert await ask(world, COLD) is None
    assert await ask(world, WARM) is None
    assert await goes_to("t2", "m", COLD, WARM), "what is in memory goes before what is assigned"
    await world.store.placements.begin_unload(COLD, "n")
    await world.given_task("t3", model="n")
    assert await ask(world, "other") is not None
    assert await ask(world, COLD) is None
    await world.store.servers.remove(COLD)
    await world.given_task("t4", model="m")
    assert await ask(world, "other") is not None


async def test_it_is_left_for_a_moment_only(world: World) -> None:
    await given_workers(world)
    await world.given_task("t1", model="m")
    await world.advance(250)
    assert await ask(world, COLD) is None
    await world.advance(1)
    assert await ask(world, COLD) is not None


async def test_what_is_behind_it_is_started(world: World) -> None:
    await given_workers(world)
    await world.given_task("t1", model="m")
    await world.given_task("t2")
    grant = await ask(world, COLD)
    assert grant is not None
    assert grant.task_id == "t2"


async def at_work(world: World) -> None:
    await given_workers(world, max_concurrent=1)
    await world.given_task("t0")
    assert await ask(world, WARM) is not None


async def not_waiting(world: World) -> None:
    await given_workers(world, waits=False)


async def hung_up(world: World) -> None:
    await given_workers(world)
    await world.store.servers.disconnect(WARM, f"s-{WARM}")


async def without_its_gateway(world: World) -> None:
    await given_workers(world)
    await world.store.coordination.leave(GATEWAY)


async def in_maintenance(world: World) -> None:
    await given_workers(world)
    await world.store.servers.set_maintenance(WARM, True, "test")


async def removed(world: World) -> None:
    await given_workers(world)
    await world.store.servers.remove(WARM)


async def emptied(world: World) -> None:
    await given_workers(world)
    await world.store.placements.begin_unload(WARM, "m")


async def restarted(world: World) -> None:
    await given_workers(world)
    await world.beat(WARM, boot_id="b1")
    await world.beat(WARM, boot_id="b2")


@pytest.mark.parametrize(
    "given", [at_work, not_waiting, hung_up, without_its_gateway, in_maintenance, removed, emptied, restarted]
)
async def test_it_is_not_left_to_one_that_cannot_start_it(world: World, given: Any) -> None:
    await given(world)
    await world.given_task("t1", model="m")
    grant = await ask(world, COLD)
    assert grant is not None
    assert grant.task_id == "t1"


async def test_it_is_not_left_to_one_without_room(world: World) -> None:
    await given_workers(world, takes=Resources(cpu=3), resources=Resources(cpu=4))
    await world.given_task("t1", model="m", needs=Resources(cpu=2))
    assert await ask(world, COLD) is not None


async def test_it_is_not_left_to_one_that_declined_it(world: World) -> None:
    await given_workers(world)
    await world.given_task("t1", model="m")
    assert await ask(world, WARM) is not None
    await world.store.tasks.finish(
        "t1", ByHolder(WARM), Outcome(Verdict.DECLINED, text="no"), gateway=GATEWAY, retry_delay_ms=0
    )
    assert await ask(world, WARM) is None
    assert await ask(world, COLD) is not None


async def test_it_is_not_left_to_one_that_failed_it(world: World) -> None:
    await given_workers(world)
    await world.given_task("t1", model="m")
    grant = await ask(world, WARM)
    assert grant is not None
    await world.store.tasks.finish("t1", ByHolder(WARM), Outcome(Verdict.FAILURE), gateway=GATEWAY, retry_delay_ms=0)
    await world.tick()
    assert await ask(world, WARM) is None
    assert await ask(world, COLD) is not None


async def test_a_claim_for_a_warm_server_is_not_moved_to_idle_ones(world: World) -> None:
    for name in ("s1", "s2"):
        await world.given_server(name)
    await world.store.placements.loaded("s1", "m", NOTHING, 1)
    for task_id in ("t1", "t2"):
        await world.running(task_id, "s1")
    await world.given_task("plain", model="other")
    assert isinstance(await world.claim("plain", "s1", expected_load=2.0), Moved)
    await world.given_task("t3", model="m")
    assert isinstance(await world.claim("t3", "s1", expected_load=0.0), Moved)
    assert isinstance(await world.claim("t3", "s1", expected_load=2.0), Granted)
