"""Loads that the gateways share: no server gets more than it takes, and the slow one not more than the others."""

import asyncio
import math
import random
from collections import Counter
from typing import Any

import pytest
from redis.asyncio import Redis

from balancer import Candidate, Pick, policy_named
from tests.e2e.fleet import NAMESPACE
from tests.e2e.world import World, many

pytestmark = pytest.mark.e2e
GATEWAYS = 3
STREAM = f"{{{NAMESPACE}}}:ev"


async def test_no_server_ever_sees_more_than_it_takes(world: World) -> None:
    await world.algorithm("round-robin")
    servers = await world.servers(4, most=3)
    for server in servers:
        await server.set(latency=0.02)
    answers = await many(500, lambda _: world.run(), at_once=500)
    seen = [await server.seen() for server in servers]
    high, calls = [one["high"] for one in seen], [len(one["calls"]) for one in seen]
    print(f"\n500 at once on 4 servers of 3 slots: most at once {high}, calls {calls}")
    assert {answer["status"] for answer in answers} == {"COMPLETED"}
    assert max(high) <= 3
    assert sum(calls) == 500, "each task is called once"


@pytest.mark.parametrize("tasks", [400, pytest.param(4_000, marks=pytest.mark.bench)])
async def test_least_connections_spares_a_slow_server(world: World, tasks: int) -> None:
    await world.algorithm("least-connections")
    servers = await world.servers(4)
    # far more than a call costs a busy machine, or it is the machine that decides who is slow
    for server, latency in zip(servers, (1.5, 0.03, 0.03, 0.03), strict=True):
        await server.set(latency=latency)
    redis: Any  # its stubs know too little of streams
    async with Redis.from_url(world.fleet.redis_url) as redis:
        sent = asyncio.Event()
        newest = (await redis.xrevrange(STREAM, count=1))[0][0]
        reading = asyncio.create_task(_events(redis, newest, sent))
        answers = await many(tasks, lambda _: world.run(), at_once=60)
        sent.set()
        events = await reading
    servers_of = {answer["id"]: answer["serverId"] for answer in answers}
    moments = _assignments(servers_of, events, slow=servers[0].id)
    over = [held - math.ceil(total / 4) for total, held in moments]
    done = Counter(servers_of.values())
    print(
        f"\nleast-connections, one of 4 servers 50 x slower, {tasks} tasks: done {[done[s.id] for s in servers]}, "
        f"the slow one held at most {max(held for _, held in moments)}, at most ceil(open / 4) + {max(over)}"
    )
    assert {answer["status"] for answer in answers} == {"COMPLETED"}
    assert max(over) <= GATEWAYS
    assert done[servers[0].id] < tasks / 8


async def _events(redis: Any, at: bytes, sent: asyncio.Event) -> list[dict[bytes, bytes]]:
    """The fleet's stream after `at`, until all was sent. It is read along, as it keeps only the last 10,000."""
    events: list[dict[bytes, bytes]] = []
    while True:
        streams = await redis.xread({STREAM: at}, block=200)
        if not streams and sent.is_set():
            return events
        for _, entries in streams:
            at = entries[-1][0]
            events += [fields for _, fields in entries]


def _assignments(servers_of: dict[str, str], events: list[dict[bytes, bytes]], slow: str) -> list[tuple[int, int]]:
    """At each start of a task on the slow server, in the store's own order: open tasks, and those of the slow server.

    Every task here runs once, so that the server it ended on is the one it started on.
    """
    open_on: Counter[str] = Counter()
    moments = []
    for event in events:
        server = servers_of.get(event.get(b"id", b"").decode())
        if server is None:
            continue
        if event[b"state"] == b"PROCESSING":
            open_on[server] += 1
            if server == slow:
                moments.append((open_on.total(), open_on[slow]))
        elif event[b"state"] == b"COMPLETED":
            open_on[server] -= 1
    assert open_on.total() == 0
    return moments


def test_ties_are_broken_evenly() -> None:
    """At the level of the policy that the gateways use: 10,000 choices among equals."""
    policy, rng = policy_named("least-connections"), random.Random(20)
    fleet = [Candidate(id=f"s{n}", seq=n, weight=1, active=2, capacity=9) for n in range(4)]
    taken = Counter(policy.choose(fleet, Pick(rng=rng)).id for _ in range(10_000))
    sigma = math.sqrt(10_000 * 0.25 * 0.75)
    print(f"\nleast-connections, 10,000 ties: {sorted(taken.values())}, 4 sigma is {4 * sigma:.0f}")
    assert all(abs(count - 2_500) <= 4 * sigma for count in taken.values())


@pytest.mark.parametrize("tasks", [200, pytest.param(10_000, marks=pytest.mark.bench)])
async def test_an_idle_fleet_is_used_evenly(world: World, tasks: int) -> None:
    """Ties through the gateways: one task at a time finds all servers idle."""
    await world.algorithm("least-connections")
    servers = await world.servers(4)
    answers = await many(tasks, lambda _: world.run(), at_once=1)
    done = Counter(answer["serverId"] for answer in answers)
    sigma = math.sqrt(tasks * 0.25 * 0.75)
    print(f"\nleast-connections, {tasks} tasks one by one: {[done[s.id] for s in servers]}, 4 sigma is {4 * sigma:.0f}")
    assert all(abs(done[server.id] - tasks / 4) <= 4 * sigma for server in servers)
