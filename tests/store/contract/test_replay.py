"""Every call repeated with identical arguments, as after a lost reply: it acts once."""

import contextlib
from collections.abc import Awaitable, Callable

import pytest

from dispatcher.domain.errors import IllegalState, NotFound
from dispatcher.domain.failure import Outcome, Verdict
from dispatcher.domain.grant import Behind, Grant, Granted
from dispatcher.domain.server import ServerHealth
from dispatcher.service.ports import IdempotencyKey, RateRule, TaskQuery
from tests.store.world import GATEWAY, LEASE_MS, ORIGIN, OWNER, World, by, done, held, new_server, new_task

KEY = IdempotencyKey("k", "d")


async def everything(world: World) -> object:
    """What a caller can see of the whole store."""
    tasks, _ = await world.store.tasks.find(TaskQuery(ORIGIN, None))
    full = [await world.task(task.id) for task in tasks]
    stats = world.store.stats
    return (
        full, await world.store.servers.all(), await stats.totals(ORIGIN, None), await stats.waiting(ORIGIN, None, None)
    )  # fmt: skip


async def test_a_repeated_create_is_one_task_with_one_offer(world: World) -> None:
    await world.given_server("s1")
    first = await world.store.tasks.create(new_task("t1"), gateway=GATEWAY, key=KEY, waiter=True)
    before = await everything(world)
    again = await world.store.tasks.create(new_task("t1"), gateway=GATEWAY, key=KEY, waiter=True)
    assert again == first
    assert await everything(world) == before
    assert (await world.given_task("t2")).turn == first.turn + 1


async def test_a_repeated_claim_is_one_attempt(world: World) -> None:
    await world.given_server("s1", max_concurrent=5)
    await world.given_task("t1")
    call = {"claim_id": "c", "nonce": "n"}
    first = await world.claim("t1", "s1", **call)
    before = await everything(world)
    assert await world.claim("t1", "s1", **call) == first
    assert isinstance(first, Granted)
    assert await everything(world) == before


async def test_a_repeated_claim_that_was_behind_gets_the_same_head(world: World) -> None:
    await world.given_task("head")
    await world.advance(300)
    await world.given_server("s1", max_concurrent=5)
    await world.given_task("young")
    call = {"claim_id": "c", "nonce": "n"}
    first = await world.claim("young", "s1", **call)
    before = await everything(world)
    assert isinstance(first, Behind)
    assert await world.claim("young", "s1", **call) == first
    assert await everything(world) == before


@pytest.mark.parametrize("verdict", list(Verdict))
async def test_a_repeated_end_gets_the_same_grant(world: World, verdict: Verdict) -> None:
    await world.given_server("s1", max_concurrent=1)
    await world.given_server("s2", max_concurrent=1, capabilities=["x"])
    grant = await world.running("t1", "s1")
    await world.given_task("t2", boost_ms=1)
    outcome = Outcome(verdict, digest="d")
    first = await world.end(grant, outcome, want_next="n2")
    before = await everything(world)
    again = await world.end(grant, outcome, want_next="n2")
    assert again.duplicate
    assert (again.state, again.grant, again.candidates, again.turn) == (
        first.state, first.grant, first.candidates, first.turn,
    )  # fmt: skip
    assert await everything(world) == before


async def test_a_grant_is_told_only_to_who_asked_for_it(world: World) -> None:
    """A worker's repeated report through another gateway must not start the next task twice."""
    await world.given_server("s1", max_concurrent=1)
    grant = await world.running("t1", "s1")
    await world.given_task("t2")
    first = await world.end(grant, done(), want_next="n2")
    assert first.grant is not None
    again = await world.end(grant, done(), want_next="fresh", gateway="gw_2")
    assert (again.duplicate, again.grant) == (True, None)
    await world.end(first.grant, done())
    assert (await world.end(grant, done(), want_next="n2")).grant is None


async def test_a_repeat_after_the_task_moved_on_is_still_the_same_end(world: World) -> None:
    """The freed slot may be given to the very same task: its grant must not get lost with the reply."""
    await world.given_server("s1", max_concurrent=1)
    grant = await world.running("t1", "s1")
    first = await world.end(grant, Verdict.RELEASED, want_next="n2")
    assert first.grant is not None
    assert (first.grant.task_id, first.grant.fence) == ("t1", 2)
    again = await world.end(grant, Verdict.RELEASED, want_next="n2")
    assert (again.duplicate, again.grant) == (True, first.grant)


Call = Callable[[World, Grant], Awaitable[object]]

REPEATABLE: dict[str, Call] = {
    "accept": lambda w, g: w.store.tasks.accept("runs", by(g), lease_ms=30_000),
    "progress": lambda w, g: w.store.tasks.progress("runs", by(g), 30.0),
    "renew": lambda w, g: w.store.tasks.renew([held(g)], gateway=GATEWAY, lease_ms=LEASE_MS),
    "cancel": lambda w, g: w.store.tasks.cancel("runs", origin=ORIGIN, owner=OWNER),
    "free_slot": lambda w, g: w.store.tasks.free_slot("stopped", "s1", 1),
    "retry": lambda w, g: w.store.tasks.retry("failed", origin=ORIGIN, owner=OWNER, waiting_ms=None),
    "delete": lambda w, g: w.store.tasks.delete("failed", origin=ORIGIN, owner=OWNER),
    "watch": lambda w, g: w.store.tasks.watch("runs", "gw_9"),
    "tick": lambda w, g: w.store.tasks.tick(gateway=GATEWAY),
    "peek": lambda w, g: w.store.tasks.peek(),
    "put": lambda w, g: w.store.servers.put(new_server("s1", max_concurrent=9)),
    "put a new one": lambda w, g: w.store.servers.put(new_server("s9"), alias="native:nine"),
    "remove": lambda w, g: w.store.servers.remove("s1"),
    "heartbeat": lambda w, g: w.beat("s1", active=4, boot_id="b", health=ServerHealth.DEGRADED),
    "probed": lambda w, g: w.store.servers.probed("s1", False),
    "maintenance": lambda w, g: w.store.servers.set_maintenance("s1", True, "x"),
    "algorithm": lambda w, g: w.store.servers.set_algorithm("random", by="x"),
    "presence": lambda w, g: w.store.coordination.presence(GATEWAY),
    "leave": lambda w, g: w.store.coordination.leave(GATEWAY),
    "limited create": lambda w, g: w.store.tasks.create(new_task("n"), gateway=GATEWAY, rate=RateRule("a", "b", 5)),
}


@pytest.mark.parametrize("name", REPEATABLE)
async def test_any_call_may_be_repeated(world: World, name: str) -> None:
    """The second of two identical calls changes nothing; it may only say that there is nothing left to do."""
    await world.given_server("s1", max_concurrent=9)
    grant = await world.running("runs", "s1")
    await world.running("stopped", "s1")
    await world.store.tasks.cancel("stopped", origin=ORIGIN, owner=None)
    await world.end(await world.running("failed", "s1"), Verdict.FAILED)
    await world.end(await world.running("retry", "s1"), Verdict.FAILURE, retry_delay_ms=0)
    await world.advance(400)
    await REPEATABLE[name](world, grant)
    before = await everything(world)
    nothing_left = (NotFound, IllegalState) if name in ("delete", "remove", "retry") else ()
    with contextlib.suppress(*nothing_left):
        await REPEATABLE[name](world, grant)
    assert await everything(world) == before
