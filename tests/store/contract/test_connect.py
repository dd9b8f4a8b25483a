"""Workers that hold a socket: the newest one counts, and what they hold can be read."""

import pytest

from dispatcher.domain.errors import NotFound, Replaced
from dispatcher.domain.event import FleetEvent
from dispatcher.domain.failure import Verdict
from dispatcher.domain.grant import Grant, Held
from dispatcher.domain.lane import Offer
from dispatcher.domain.server import Endpoints, NewServer, ServerStatus, Transport
from dispatcher.domain.transitions import TaskState
from tests.store.world import GATEWAY, World


async def worker(world: World, name: str = "w1") -> None:
    await world.given_server(name, transport=Transport.SOCKET, silence_ms=60_000)


async def fetch(world: World, session: str, claim_id: str = "") -> Grant | None:
    name = claim_id or world.fresh("c")
    return await world.store.tasks.claim_next(
        "w1", claim_id=name, nonce=f"n-{name}", gateway=GATEWAY, lease_ms=60_000, session=session
    )


async def test_only_the_newest_connection_is_given_work(world: World) -> None:
    await worker(world)
    await world.given_task("t1")
    await world.given_task("t2")
    with pytest.raises(Replaced):
        await fetch(world, "old")
    await world.store.servers.connect("w1", "old", "gw_1")
    first = await fetch(world, "old", "c")
    assert first is not None
    await world.store.servers.connect("w1", "new", "gw_2")
    with pytest.raises(Replaced):
        await fetch(world, "old")
    assert await fetch(world, "old", "c") == first, "an answer that was lost is given again"
    assert (await fetch(world, "new")) is not None
    server = await world.store.servers.get("w1")
    assert (server.session, server.gateway) == ("new", "gw_2")


async def test_an_older_connection_speaks_for_the_worker_no_more(world: World) -> None:
    """Its heartbeat would make the newer one's start another start, and lose what that has."""
    await worker(world)
    await world.given_task("t1")
    await world.store.servers.connect("w1", "new", GATEWAY)
    await world.beat("w1", boot_id="b2", session="new")
    assert await fetch(world, "new") is not None
    with pytest.raises(Replaced):
        await world.beat("w1", boot_id="b1", session="old")
    assert (await world.store.servers.get("w1")).boot_id == "b2"
    task = await world.task("t1")
    assert (task.state, task.losses) == (TaskState.PROCESSING, 0)


async def test_who_names_no_connection_is_not_asked_for_one(world: World) -> None:
    await worker(world)
    await world.store.servers.connect("w1", "s", GATEWAY)
    await world.given_task("t1")
    assert await fetch(world, "") is not None


async def test_only_the_connection_that_counts_can_end_it(world: World) -> None:
    await worker(world)
    await world.store.servers.connect("w1", "old", "gw_1")
    await world.store.servers.connect("w1", "new", "gw_2")
    await world.store.servers.disconnect("w1", "old")
    assert (await world.store.servers.get("w1")).session == "new"
    await world.store.servers.disconnect("w1", "new")
    server = await world.store.servers.get("w1")
    assert (server.session, server.gateway) == ("", "")
    await world.store.servers.disconnect("nobody", "new")


async def test_one_that_left_is_offline_at_once_unless_it_has_come_back(world: World) -> None:
    await worker(world)
    for session, left, status in (("a", True, ServerStatus.OFFLINE), ("b", False, ServerStatus.ONLINE)):
        await world.store.servers.connect("w1", session, GATEWAY)
        await world.store.servers.disconnect("w1", session, left=left)
        server = await world.store.servers.get("w1")
        assert (server.status, server.left) == (status, left)
    await world.store.servers.connect("w1", "c", GATEWAY)
    await world.store.servers.connect("w1", "d", GATEWAY)
    await world.store.servers.disconnect("w1", "c", left=True)
    assert (await world.store.servers.get("w1")).status is ServerStatus.ONLINE


async def test_one_that_left_is_forgotten_as_long_after_as_a_silent_one(world: World) -> None:
    new = NewServer("w2", "native", "w2", Endpoints(), Offer(), transport=Transport.SOCKET, forget_ms=100_000)
    await world.store.servers.put(new)
    await world.store.servers.connect("w2", "a", GATEWAY)
    await world.store.servers.disconnect("w2", "a", left=True)
    await world.later(99_000)
    assert (await world.store.servers.get("w2")).status is ServerStatus.OFFLINE
    await world.later(2_000)
    with pytest.raises(NotFound):
        await world.store.servers.get("w2")


async def test_connecting_is_told_once_and_a_sign_of_life(world: World) -> None:
    await worker(world)
    await world.later(60_000)
    assert (await world.store.servers.get("w1")).status is ServerStatus.OFFLINE
    async with world.events() as reader:
        for session in ("a", "a", "b"):
            await world.store.servers.connect("w1", session, GATEWAY)

        def is_b(event: FleetEvent) -> bool:
            return event.type == "server.connected" and event.fields["session"] == "b"

        await reader.until(is_b)
        told = [dict(e.fields) for e in reader.seen if e.type == "server.connected"]
    assert told == [{"id": "w1", "session": "a"}, {"id": "w1", "session": "b"}]
    assert (await world.store.servers.get("w1")).status is ServerStatus.ONLINE


async def test_an_unregistered_worker_cannot_connect(world: World) -> None:
    with pytest.raises(NotFound):
        await world.store.servers.connect("nobody", "s", GATEWAY)


async def test_registering_again_needs_a_new_connection(world: World) -> None:
    await worker(world)
    await world.store.servers.connect("w1", "s", GATEWAY)
    await worker(world)
    with pytest.raises(Replaced):
        await fetch(world, "s")


async def test_what_a_worker_holds_is_known_with_what_it_was_not_told_to_stop(world: World) -> None:
    await worker(world)
    await world.store.servers.connect("w1", "s", GATEWAY)
    for name in ("t1", "t2", "t3"):
        await world.given_task(name)
    grants = [await fetch(world, "s") for _ in range(3)]
    assert None not in grants
    await world.store.tasks.cancel("t2", origin="native", owner=None)
    assert grants[2] is not None
    await world.end(grants[2], Verdict.RELEASED)
    found = await world.store.tasks.holding("w1")
    states = [(held, task.state if task else None, task.fence if task else 0) for held, task in found]
    assert states == [
        (Held("t1", "w1", 1), TaskState.PROCESSING, 1),
        (Held("t2", "w1", 1), TaskState.CANCELLED, 1),
    ]
    await world.store.tasks.delete("t2", origin="native", owner=None)
    assert (await world.store.tasks.holding("w1"))[1] == (Held("t2", "w1", 1), None)
    assert await world.store.tasks.holding("nobody") == []
