"""Everything at once: failing and busy servers, a queue, and two gateways that are killed under it."""

import asyncio
import random
from collections import Counter
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.fleet import running_fleet, token
from tests.e2e.test_conservation import nothing_lives, the_fleet_agrees
from tests.e2e.world import World, many, until, world_on

pytestmark = [pytest.mark.e2e, pytest.mark.bench]
ENGINES = {
    "hypercorn": {"DISPATCHER_SERVER__ENGINE": "hypercorn", "DISPATCHER_DISPATCH__HTTP_CLIENT": "httpx"},
    "granian": {"DISPATCHER_SERVER__ENGINE": "granian", "DISPATCHER_DISPATCH__HTTP_CLIENT": "aiohttp"},
}


async def _create(world: World, bearer: str, urls: list[str]) -> str:
    """At the first of these gateways that lives."""
    for url in urls:
        try:
            return await world.create(bearer=bearer, via=url, timeout=20)
        except aiohttp.ClientError:
            continue
    raise AssertionError("no gateway lives")


@pytest.mark.parametrize("engine", ENGINES)
async def test_killed_gateways_under_failures_lose_nothing(tmp_path: Path, engine: str) -> None:
    rng = random.Random(4)
    environ = ENGINES[engine] | {"DISPATCHER_DISPATCH__LEASE": "3s"}
    with running_fleet(tmp_path, gateways=2, servers=4, **environ) as fleet:
        async with world_on(fleet) as world:
            servers = await world.servers(4, most=4)
            for server in servers:
                statuses = [*rng.choices([200, 500, 503], [90, 7, 3], k=2_000), 200]
                await server.set(latency=0.08, statuses=statuses)
            me = token("ann")
            with fleet.more_gateways(2) as victims:
                urls = [*fleet.urls, *(victim.url for victim in victims)]
                work = asyncio.create_task(
                    many(300, lambda n: _create(world, me, [urls[n % 4], fleet.urls[0]]), at_once=16)
                )
                for victim in victims:
                    await asyncio.sleep(0.6)  # in the middle of it
                    victim.kill()
                ids = await work
            await until(lambda: nothing_lives(world, me), "the end of all tasks", 60)
            ends = [await world.task(task) for task in ids]
            attempts = Counter(attempt["status"] for end in ends for attempt in end["attempts"])
            seen = [await server.seen() for server in servers]
            done = Counter(call["task"] for one in seen for call in one["calls"] if call["status"] == 200)
            print(
                f"\ntwo of four gateways killed on {engine}: "
                f"{dict(Counter(end['status'] for end in ends))}, attempts {dict(attempts)}"
            )
            assert {end["status"] for end in ends} <= {"COMPLETED", "FAILED"}
            assert attempts["lost"] > 0
            assert max(one["high"] for one in seen) <= 4
            again = sum(count - 1 for count in done.values())
            assert again <= attempts["lost"], "only what died with a gateway is done twice"
            await the_fleet_agrees(world)
