"""What workers say of their load is kept for a while, and added up by the minute and the hour."""

import json

import pytest

from dispatcher.domain.errors import NotFound
from dispatcher.domain.stats import Counts
from dispatcher.domain.telemetry import SAMPLES_KEPT, Mean, Step, Usage
from tests.store.backends import many_calls
from tests.store.world import ORIGIN, World, done

MINUTE_MS, HOUR_MS = 60_000, 3_600_000


async def told(world: World, server_id: str = "s1", **figures: object) -> None:
    await world.beat(server_id, metrics=json.dumps(figures))


async def usages(world: World, since_ms: int = 0) -> list[Usage]:
    return [sample.usage for sample in await world.store.telemetry.samples("s1", since_ms)]


async def test_a_heartbeat_that_tells_of_the_load_is_a_sample(world: World) -> None:
    await world.given_server("s1")
    gpus = [{"model": "A", "temperature": 65}]
    await told(world, cpu=45, memory=60.25, gpu=None, gpus=gpus, storage=30.5, other="x")
    first = world.now
    await world.advance(5_000)
    await told(world, other="says nothing of its load")
    await told(world, gpu=80.5)
    samples = await world.store.telemetry.samples("s1")
    assert [(s.at_ms, s.usage) for s in samples] == [
        (first, Usage(45.0, 60.25, None, '[{"model":"A","temperature":65}]', 30.5)),
        (first + 5_000, Usage(gpu=80.5)),
    ]
    assert await world.store.telemetry.samples("s1", first) == samples[1:]


async def test_a_repeated_heartbeat_is_one_sample(world: World) -> None:
    await world.given_server("s1")
    await told(world, cpu=10)
    await world.advance(999)
    await told(world, cpu=20)
    assert await usages(world) == [Usage(10.0)]
    await world.advance(1)
    await told(world, cpu=30)
    assert await usages(world) == [Usage(10.0), Usage(30.0)]
    minute = (await world.store.telemetry.buckets(ORIGIN, Step.MINUTE, 1))[0]
    assert minute.cpu == Mean(4_000, 2)


@many_calls
async def test_samples_are_bounded_by_number_and_age(world: World) -> None:
    await world.given_server("s1")
    for n in range(SAMPLES_KEPT + 2):
        await told(world, cpu=n % 100)
        await world.advance(1_000)
    kept = await usages(world)
    assert (len(kept), kept[0]) == (SAMPLES_KEPT, Usage(2.0))
    await world.advance(HOUR_MS - 2_000)
    assert await usages(world) == [Usage(float((SAMPLES_KEPT + 1) % 100))]
    await world.advance(1_000)
    assert await usages(world) == []


async def test_unregistering_forgets_the_samples(world: World) -> None:
    await world.given_server("s1")
    await told(world, cpu=10)
    await world.store.servers.remove("s1")
    with pytest.raises(NotFound):
        await world.store.telemetry.samples("s1")
    await world.given_server("s1")
    assert await usages(world) == []


async def test_the_fleet_by_the_minute_and_by_the_hour(world: World) -> None:
    await world.advance(-world.now % HOUR_MS + 59 * MINUTE_MS)  # the last minute of an hour
    start = world.now
    for server_id, gpu in (("s1", 20), ("s2", 70.55)):
        await world.given_server(server_id)
        await told(world, server_id, gpu=gpu, memory=50)
    await world.advance(MINUTE_MS)
    await told(world, "s1", gpu=100)
    minutes = await world.store.telemetry.buckets(ORIGIN, Step.MINUTE, 3)
    assert [(b.start_ms - start, b.gpu, b.memory) for b in minutes] == [
        (-MINUTE_MS, Mean(), Mean()), (0, Mean(9_055, 2), Mean(10_000, 2)), (MINUTE_MS, Mean(10_000, 1), Mean()),
    ]  # fmt: skip
    hours = await world.store.telemetry.buckets(ORIGIN, Step.HOUR, 2)
    assert [b.gpu for b in hours] == [Mean(9_055, 2), Mean(10_000, 1)]


async def test_tasks_by_the_minute_and_by_the_hour_agree(world: World) -> None:
    await world.advance(-world.now % HOUR_MS)
    await world.given_server("s1")
    await world.given_task("other", origin="jobs")
    grant = await world.running("t1", "s1")
    await world.advance(2 * MINUTE_MS)
    await world.end(grant, done())
    minutes = await world.store.telemetry.buckets(ORIGIN, Step.MINUTE, 3)
    ended = Counts(completed=1, timed=1, duration_ms=2 * MINUTE_MS)
    assert [b.counts for b in minutes] == [Counts(created=1), Counts(), ended]
    hour = (await world.store.telemetry.buckets(ORIGIN, Step.HOUR, 1))[0]
    assert hour.counts == sum((b.counts for b in minutes), Counts())
