"""Servers that were registered through an open door are given what came through the same door, and nothing else."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from dispatcher.domain.errors import Conflict
from dispatcher.domain.grant import Full, Grant
from dispatcher.domain.lane import Demand, Offer
from dispatcher.domain.resources import Resources
from dispatcher.domain.server import ServerHealth, Transport
from tests.store.world import GATEWAY, World, done, new_server, new_task

LEASE_MS = 60_000
OTHERS = ("", "jobs")  # a task with a token, and one through another open door


async def server(world: World, name: str, only: str = "farm", **changes: object) -> None:
    new = new_server(name, **changes)
    await world.store.servers.put(replace(new, offer=replace(new.offer, only=only)))


async def task(world: World, name: str, door: str, **changes: object) -> None:
    new = new_task(name, **changes)
    await world.store.tasks.create(replace(new, demand=replace(new.demand, open=door)), gateway=GATEWAY)


async def fetch(world: World, name: str, session: str = "") -> str | None:
    grant = await world.store.tasks.claim_next(
        name, claim_id=world.fresh("c"), nonce=world.fresh("n"), gateway=GATEWAY, lease_ms=LEASE_MS, session=session
    )
    return None if grant is None else grant.task_id


async def test_it_fetches_nothing_else(world: World) -> None:
    await server(world, "w1", transport=Transport.PULL)
    for door in OTHERS:
        await task(world, f"other{door}", door, boost_ms=60_000)
    assert await fetch(world, "w1") is None
    await task(world, "mine", "farm")
    assert [await fetch(world, "w1"), await fetch(world, "w1")] == ["mine", None]


async def test_it_is_sent_nothing_else(world: World) -> None:
    """Neither by a choice, nor by a claim that names it, nor with the end of what it ran, nor by whoever looks
    around for waiting tasks."""
    await server(world, "s1", max_concurrent=1)
    for door in OTHERS:
        await task(world, f"other{door}", door)
        refused = await world.claim(f"other{door}", "s1")
        assert isinstance(refused, Full)
        assert not refused.candidates.free
    await task(world, "mine", "farm")
    grant: Grant = await world.start("mine", "s1")
    await world.advance(1_000)
    assert (await world.end(grant, done(), want_next="n")).grant is None
    assert await world.store.tasks.peek() == []


async def test_one_with_a_token_takes_both(world: World) -> None:
    await server(world, "w1", only="", transport=Transport.PULL)
    await task(world, "open", "farm")
    await task(world, "own", "")
    assert {await fetch(world, "w1"), await fetch(world, "w1")} == {"open", "own"}


async def test_it_has_no_part_in_a_gang_of_others(world: World) -> None:
    await world.store.coordination.presence(GATEWAY)
    for name in ("w1", "w2"):
        await server(world, name, transport=Transport.SOCKET)
        await world.store.servers.connect(name, f"s-{name}", GATEWAY)
    new = new_task("t1", timeout_ms=0, shy=True)
    for task_id, demand in (("own", Demand(gang=2)), ("open", Demand(gang=2, open="farm"))):
        await world.store.tasks.create(replace(new, id=task_id, demand=demand), gateway=GATEWAY)
    assert await fetch(world, "w1", "s-w1") is None
    assert [await fetch(world, name, f"s-{name}") for name in ("w2", "w1")] == ["open", "open"]


async def test_what_it_says_of_a_model_counts_for_itself_alone(world: World) -> None:
    await server(world, "w1", transport=Transport.SOCKET)
    placed = await world.store.placements.loaded("w1", "m", Resources(memory=1), 1)
    assert placed.takes == Resources(memory=1)
    assert await world.store.placements.sizes(["m"]) == {}


WIDENED: dict[str, Callable[[World], Awaitable[object]]] = {
    "offering otherwise": lambda w: w.store.servers.reoffer("s1", Offer()),
    "another door": lambda w: w.store.servers.reoffer("s1", Offer(only="jobs")),
    "registering again": lambda w: w.store.servers.put(new_server("s1")),
    "registering a known one": lambda w: w.store.servers.put(new_server("s1"), keep=True),
}


@pytest.mark.parametrize("name", WIDENED)
async def test_it_stays_confined(world: World, name: str) -> None:
    await server(world, "s1")
    with pytest.raises(Conflict):
        await WIDENED[name](world)
    more = Offer(frozenset({"predict", "process"}), resources=Resources(cpu=9), only="farm")
    await world.store.servers.reoffer("s1", more, max_concurrent=9)
    await world.store.servers.heartbeat("s1", health=ServerHealth.HEALTHY, active=0, metrics="{}", boot_id="b")
    await server(world, "s1")
    await task(world, "other", "")
    assert isinstance(await world.claim("other", "s1"), Full)


def test_what_was_kept_before_there_were_open_doors_is_of_none() -> None:
    old = '{"kind": "predict", "capabilities": [], "group": null}'
    assert (Demand.from_json(old), Demand().to_json()) == (Demand(), old)
    offer = '{"kinds": ["predict"], "capabilities": [], "groups": []}'
    assert (Offer.from_json(offer), Offer().to_json()) == (Offer(), offer)
    for demand in (Demand(open="farm"), Demand(gang=2, open="farm").shaped(Resources(cpu=1))):
        assert Demand.from_json(demand.to_json()) == demand
        assert replace(demand, open="").lane != demand.lane
    for some in (Offer(only="farm"), Offer(resources=Resources(cpu=1), only="farm")):
        assert Offer.from_json(some.to_json()) == some
        assert replace(some, only="").server_class != some.server_class
