"""After failures, retries, cancels, time-outs and busy servers nothing is lost, and every count agrees."""

import random
from collections import Counter

import pytest
from redis.asyncio import Redis

from tests.e2e.fleet import NAMESPACE, token
from tests.e2e.world import ENDED, World, many, until

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("tasks", [240, pytest.param(2_000, marks=pytest.mark.bench)])
async def test_a_mixed_run_is_conserved(world: World, tasks: int) -> None:
    rng = random.Random(7)
    await world.algorithm("least-connections")
    servers = [await world.register(number, most=2 if number == 4 else 8) for number in range(5)]
    for number, server in enumerate(servers[:4]):
        statuses = [*rng.choices([200, 500, 400, 503, 429], [64, 20, 12, 2, 2], k=tasks * 2), 200]
        await server.set(latency=0.01 * (1 + number), statuses=statuses, retry_after=1)
    await servers[4].set(latency=0.05, accept=True)
    me = token(f"ann-{tasks}")

    async def one(number: int) -> str:
        task = await world.create(bearer=me, timeout=rng.choice([5, 30]))
        if number % 6 == 0:
            await _perhaps(world, me, f"/api/task/{task}/cancel")
        return task

    ids = await many(tasks, one, at_once=24)
    await until(lambda: nothing_lives(world, me), "the end of all tasks", 60)
    await many(tasks, lambda number: _perhaps(world, me, f"/api/task/{ids[number]}/retry"), at_once=24)
    await until(lambda: nothing_lives(world, me), "the end of all tasks again", 60)
    ends = [await world.task(task) for task in ids]
    assert {end["status"] for end in ends} <= set(ENDED)
    days = [await world.call("GET", "/api/stats/tasks", via=number, bearer=me) for number in range(3)]
    print(f"\nmixed run of {tasks}: {dict(Counter(end['status'] for end in ends))}, retried {days[0]['retriedTasks']}, "
          f"attempts {dict(Counter(a['status'] for end in ends for a in end.get('attempts', [])))}")  # fmt: skip
    assert days[0] == days[1] == days[2], "every gateway says the same"
    assert days[0]["totalTasks"] == tasks
    ended = sum(days[0][name] for name in ("successfulTasks", "failedTasks", "cancelledTasks"))
    assert tasks + days[0]["retriedTasks"] - ended == 0
    by_status = Counter(end["status"] for end in ends)
    assert (by_status["COMPLETED"], by_status["CANCELLED"]) == (days[0]["successfulTasks"], days[0]["cancelledTasks"])
    await the_fleet_agrees(world)


async def _perhaps(world: World, bearer: str, path: str) -> None:
    """A request that comes too late or too early is refused, and that is fine here."""
    headers = {"Authorization": f"Bearer {bearer}"}
    async with world.http.post(world.fleet.urls[0] + path, headers=headers) as answer:
        assert answer.status in (200, 400)


async def nothing_lives(world: World, bearer: str) -> bool:
    stats = await world.call("GET", "/api/stats/tasks", bearer=bearer)
    return bool(stats["pendingTasks"] + stats["processingTasks"] == 0)


async def the_fleet_agrees(world: World) -> None:
    """Whatever other tests have left: live = created + reopened - ended, servers + none = all, no slot without work."""
    total = await world.store.stats.totals("native", None)
    live = sum((await world.store.stats.waiting("native", None, None)).values())
    assert total.created + total.reopened - total.completed - total.failed - total.cancelled == live
    async with Redis.from_url(world.fleet.redis_url, decode_responses=True) as redis:
        root = f"{{{NAMESPACE}}}:"
        sums = {key.removeprefix(f"{root}sum:s:") async for key in redis.scan_iter(f"{root}sum:s:*", count=1000)}
        slots = {key: await redis.zrange(key, 0, -1) async for key in redis.scan_iter(f"{root}slots:*", count=1000)}
    parts = [await world.store.stats.server_totals(server_id) for server_id in sorted(sums)]
    assert slots == {}
    for name in ("completed", "failed", "cancelled"):
        assert sum(getattr(part, name) for part in parts) == getattr(total, name), name
