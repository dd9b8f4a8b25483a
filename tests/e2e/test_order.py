"""Who is next: a paused fleet gathers a queue, then one slot works through it."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest

from tests.e2e.fleet import token
from tests.e2e.world import Gpu, World, many, until

pytestmark = pytest.mark.e2e
LATENCY_S = 0.02


async def _paused(world: World) -> Gpu:
    server = await world.register(0, most=1)
    await server.set(latency=LATENCY_S)
    await world.maintenance(server, True)
    return server


async def _queue(world: World, count: int, tenant: str, **fields: Any) -> list[str]:
    bearer = token("ann", tenant=tenant)
    return await many(count, lambda _: world.create(bearer=bearer, **fields), at_once=24)


async def _starts(server: Gpu, wanted: Sequence[str]) -> list[dict[str, Any]]:
    """All calls up to the last wanted task's, once all of these have started."""

    async def started() -> bool:
        return set(wanted) <= {call["task"] for call in await server.calls()}

    await until(started, f"{len(wanted)} starts")
    calls = await server.calls()
    last = max(number for number, call in enumerate(calls) if call["task"] in wanted)
    return calls[: last + 1]


@pytest.mark.parametrize("queued", [200, pytest.param(1_000, marks=pytest.mark.bench)])
async def test_an_urgent_task_starts_next(world: World, queued: int) -> None:
    server = await _paused(world)
    waiting = await _queue(world, queued, "acme", priority=0)
    await world.maintenance(server, False)
    await _starts(server, [waiting[0]])
    urgent = await world.create(bearer=token("ann", tenant="acme"), priority=10)
    created = len(await server.calls())
    place = len(await _starts(server, [urgent]))
    print(f"\npriority 10 behind {queued}: {created} calls when it was accepted, it is call number {place}")
    assert place <= created + 1
    await world.unregister(server.id)


@pytest.mark.parametrize("queued", [200, pytest.param(2_000, marks=pytest.mark.bench)])
async def test_a_small_tenant_waits_at_most_twice_as_long_as_alone(world: World, queued: int) -> None:
    waits = []
    for others in (0, queued):
        server = await _paused(world)
        await _queue(world, others, "a")
        mine = await _queue(world, 10, f"b{others}")  # a tenant that has had nothing yet
        await asyncio.sleep(0.3)  # who waited for less is not looked for at once
        began = time.time()
        await world.maintenance(server, False)
        starts = await _starts(server, mine)
        waits.append((len(starts), sum(call["at"] - began for call in starts if call["task"] in mine) / 10))
        await many(10, lambda n, mine=mine: world.ended(mine[n]), at_once=10)  # type: ignore[misc]
        await world.unregister(server.id)
    (alone, alone_s), (place, wait_s) = waits
    print(
        f"\n10 tasks of B alone: {alone_s * 1000:.0f} ms mean wait, the last starts as number {alone}; "
        f"behind {queued} of A: {wait_s * 1000:.0f} ms, number {place}"
    )
    assert alone == 10
    assert place <= 2 * alone
    assert wait_s <= 2 * alone_s + 0.1  # the machine's own noise
