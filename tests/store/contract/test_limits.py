"""Rate limits and the bounds of the queue: each refusal in its order, leaving nothing but the rate count."""

import asyncio
import contextlib

import pytest

from dispatcher.domain.errors import DispatchError, Invalid, KeyReused, QuotaExceeded, RateLimited, Unavailable
from dispatcher.domain.grant import Created
from dispatcher.domain.principal import Owner
from dispatcher.domain.stats import Counts
from dispatcher.domain.task import NewTask
from dispatcher.service.ports import IdempotencyKey, RateRule, TaskQuery
from dispatcher.service.ports.requests import HOUR_MS
from dispatcher.store.options import StoreOptions
from tests.store.conftest import OpenWorld
from tests.store.world import GATEWAY, ORIGIN, OWNER, World, new_task

RULE = RateRule("create", "acme/ann", 2)


async def test_a_limit_counts_a_fixed_minute(world: World) -> None:
    limit = world.store.coordination.limit
    end_of_minute = (world.now // 60_000 + 1) * 60_000
    states = [await limit(RULE) for _ in range(2)]
    assert [(s.limit, s.remaining, s.reset_ms) for s in states] == [(2, 1, end_of_minute), (2, 0, end_of_minute)]
    await world.advance(500)
    with pytest.raises(RateLimited) as refused:
        await limit(RULE)
    assert (refused.value.state.remaining, refused.value.state.reset_ms) == (0, end_of_minute)
    assert refused.value.retry_after_s == -(-(end_of_minute - world.now) // 1000)
    await world.advance(end_of_minute - world.now - 1)
    with pytest.raises(RateLimited):
        await limit(RULE)
    await world.advance(1)
    assert (await limit(RULE)).remaining == 1


async def test_a_limit_may_count_a_fixed_hour(world: World) -> None:
    limit, rule = world.store.coordination.limit, RateRule("hour", "acme/ann", 2, HOUR_MS)
    end_of_hour = (world.now // HOUR_MS + 1) * HOUR_MS
    assert [(await limit(rule)).reset_ms for _ in range(2)] == [end_of_hour] * 2
    await world.advance(min(120_000, end_of_hour - world.now - 1))
    with pytest.raises(RateLimited) as refused:
        await limit(rule)
    assert refused.value.retry_after_s == -(-(end_of_hour - world.now) // 1000)
    await world.advance(end_of_hour - world.now)
    assert (await limit(rule)).remaining == 1


async def test_a_call_that_one_rule_refuses_counts_under_none(world: World) -> None:
    minute, hour = RateRule("minute", "acme/ann", 2), RateRule("hour", "acme/ann", 5, HOUR_MS)
    await world.advance(HOUR_MS - world.now % HOUR_MS)

    async def calls(times: int) -> list[tuple[int, int]]:
        """Limit and remaining of those that were let through."""
        through = []
        for _ in range(times):
            with contextlib.suppress(RateLimited):
                state = await world.store.coordination.limit(minute, hour)
                through.append((state.limit, state.remaining))
        return through

    assert await calls(20) == [(2, 1), (2, 0)]
    await world.advance(60_000)
    assert await calls(20) == [(2, 1), (2, 0)], "the hour knows of 4 only"
    await world.advance(60_000)
    assert await calls(20) == [(5, 0)]
    with pytest.raises(RateLimited) as refused:
        await world.store.coordination.limit(minute, hour)
    assert refused.value.state.reset_ms % HOUR_MS == 0, "the one that holds longest"
    assert (await world.store.coordination.limit(minute)).remaining == 0, "of the third minute"


async def test_seats_are_counted_until_they_are_given_back_or_given_up(world: World) -> None:
    async def take(seat: str, lives_ms: int = 60_000, holder: str = "acme/ann") -> bool:
        return await world.store.coordination.take_seat(holder, seat, most=2, lives_ms=lives_ms)

    assert [await take(seat) for seat in ("a", "b", "a", "c")] == [True, True, True, False]
    assert await take("c", holder="acme/bob")
    assert await take("b", 0), "given back"
    assert [await take("c"), await take("b")] == [True, False]
    await world.advance(36_000)
    assert await take("a"), "kept"
    await world.advance(24_000)
    assert [await take(seat) for seat in ("b", "c", "a")] == [True, False, True]


async def test_rules_and_keys_count_apart(world: World) -> None:
    limit = world.store.coordination.limit
    for rule in (RULE, RateRule("read", "acme/ann", 2), RateRule("create", "acme/bob", 2)):
        assert (await limit(rule)).remaining == 1


async def test_zero_is_no_limit(world: World) -> None:
    for _ in range(5):
        assert (await world.store.coordination.limit(RateRule("x", "y", 0))).limit == 0


async def test_a_limit_is_exact_under_concurrency(world: World) -> None:
    rule = RateRule("create", "acme/ann", 50)
    answers = await asyncio.gather(*(world.store.coordination.limit(rule) for _ in range(80)), return_exceptions=True)
    assert sum(isinstance(answer, RateLimited) for answer in answers) == 30


async def test_a_limited_create_leaves_nothing(world: World) -> None:
    for n in range(2):
        created = await world.store.tasks.create(new_task(f"t{n}"), gateway=GATEWAY, rate=RULE)
        assert created.rate is not None
        assert created.rate.remaining == 1 - n
    with pytest.raises(RateLimited):
        await world.store.tasks.create(new_task("t2"), gateway=GATEWAY, rate=RULE)
    assert (await world.store.tasks.find(TaskQuery(ORIGIN, None)))[1] == 2
    assert (await world.store.stats.totals(ORIGIN, None)).created == 2


async def test_a_counted_create_that_is_refused_tells_where_the_caller_stands(open_world: OpenWorld) -> None:
    world, rule = await open_world(StoreOptions(tenant_max=1)), RateRule("create", "acme/ann", 9)
    create = world.store.tasks.create
    await create(new_task("t1"), gateway=GATEWAY, rate=rule, key=IdempotencyKey("k", "d1"))
    refusals: list[tuple[type[DispatchError], NewTask, IdempotencyKey | None]] = [
        (KeyReused, new_task("t2"), IdempotencyKey("k", "d2")),
        (QuotaExceeded, new_task("t3"), None),
    ]
    for n, (kind, task, key) in enumerate(refusals, start=2):
        with pytest.raises(kind) as refused:
            await create(task, gateway=GATEWAY, rate=rule, key=key)
        assert refused.value.rate is not None
        assert refused.value.rate.remaining == 9 - n


BOUNDS = {
    "tasks": (StoreOptions(tenant_max=2), QuotaExceeded),
    "bytes": (StoreOptions(tenant_bytes_max=15), QuotaExceeded),
    "lanes": (StoreOptions(tenant_lanes_max=2), QuotaExceeded),
    "all tasks": (StoreOptions(queue_max=2), Unavailable),
    "all bytes": (StoreOptions(queue_bytes_max=15), Unavailable),
    "all lanes": (StoreOptions(lanes_max=2), Unavailable),
}


@pytest.mark.parametrize("bound", BOUNDS)
async def test_a_full_queue_refuses_until_something_ends(open_world: OpenWorld, bound: str) -> None:
    options, refusal = BOUNDS[bound]
    world = await open_world(options)
    for n in range(2):
        await world.given_task(f"t{n}", capabilities=[f"c{n}"])  # 7 bytes of payload each
    with pytest.raises(refusal):
        await world.given_task("t2", capabilities=["c2"])
    assert (await world.store.tasks.get("t2"))[0] is None
    assert await world.store.stats.totals(ORIGIN, None) == Counts(created=2)
    if refusal is QuotaExceeded:
        await world.given_task("other", owner=Owner("other", "x"), capabilities=["c0"])
    await world.store.tasks.cancel("t0", origin=ORIGIN, owner=None)
    await world.given_task("t2", capabilities=["c2"])


async def test_refusals_come_in_their_order(open_world: OpenWorld) -> None:
    world = await open_world(StoreOptions(tenant_max=1, queue_max=1))
    await world.store.tasks.create(new_task("t1"), gateway=GATEWAY, key=IdempotencyKey("k", "d"))
    rule = RateRule("create", "r", 1)

    async def refused(rate: RateRule | None, key: IdempotencyKey | None, owner: Owner) -> type[DispatchError] | None:
        task = new_task("t9", owner=owner, deadline_ms=world.now - 1)
        try:
            await world.store.tasks.create(task, gateway=GATEWAY, rate=rate, key=key)
        except DispatchError as error:
            return type(error)
        return None

    mine, other = new_task("x").owner, Owner("other", "o")
    assert await refused(rule, IdempotencyKey("k", "other"), mine) is KeyReused
    assert await refused(rule, IdempotencyKey("k", "other"), mine) is RateLimited
    assert await refused(None, IdempotencyKey("k", "d"), mine) is None
    assert await refused(None, IdempotencyKey("new", "d"), mine) is QuotaExceeded
    assert await refused(None, None, other) is Unavailable
    await world.store.tasks.cancel("t1", origin=ORIGIN, owner=None)
    assert await refused(None, None, mine) is Invalid


async def test_a_refused_key_can_be_used_again(open_world: OpenWorld) -> None:
    world = await open_world(StoreOptions(tenant_max=1))
    await world.given_task("t1")
    key = IdempotencyKey("k", "d")
    with pytest.raises(QuotaExceeded):
        await world.store.tasks.create(new_task("t2"), gateway=GATEWAY, key=key)
    await world.store.tasks.cancel("t1", origin=ORIGIN, owner=None)
    created: Created = await world.store.tasks.create(new_task("t3"), gateway=GATEWAY, key=key)
    assert (created.task_id, created.replayed) == ("t3", False)


async def test_a_tenant_has_so_many_lanes_however_its_tasks_wait(open_world: OpenWorld) -> None:
    world = await open_world(StoreOptions(tenant_lanes_max=2))
    for n in range(2):
        await world.given_task(f"t{n}", capabilities=[f"c{n}"])
        await world.store.tasks.pause(f"t{n}", origin="native", owner=OWNER)
    with pytest.raises(QuotaExceeded):
        await world.given_task("more", capabilities=["more"])
    await world.given_task("same", capabilities=["c0"])
    await world.store.tasks.cancel("t1", origin="native", owner=OWNER)
    await world.given_task("more", capabilities=["more"])
