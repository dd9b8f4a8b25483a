"""What running tasks report of themselves: metrics with a history, and checkpoints for later attempts."""

import pytest

from dispatcher.domain.errors import StaleAttempt
from dispatcher.domain.failure import Verdict
from dispatcher.domain.metrics import MetricsPoint
from dispatcher.domain.reporter import ByAttempt
from dispatcher.domain.server import Transport
from dispatcher.store.options import StoreOptions
from tests.store.conftest import OpenWorld
from tests.store.world import GATEWAY, LEASE_MS, ORIGIN, OWNER, World, by, done

LOSS = b'{"loss":\t0.5, "name":"\xc3\xa4"}'


async def test_metrics_are_the_task_s_and_go_into_its_history(world: World) -> None:
    await world.given_server("s1")
    grant = await world.running("t1", "s1")
    start = world.now
    assert (await world.store.tasks.progress("t1", by(grant), 10, metrics=LOSS)).metrics == LOSS
    await world.advance(5)
    await world.store.tasks.progress("t1", by(grant), 20, metrics=b'{"loss":0.4}')
    assert (await world.task("t1")).metrics == b'{"loss":0.4}'
    points = [MetricsPoint(start, 0, 10, LOSS), MetricsPoint(start + 5, 0, 20, b'{"loss":0.4}')]
    assert await world.store.tasks.history("t1") == points
    assert await world.store.tasks.history("t1", limit=1) == points[1:]
    assert await world.store.tasks.history("nothing") == []


async def test_metrics_are_told_though_the_percentage_is_not_higher(world: World) -> None:
    await world.given_server("s1")
    grant = await world.running("t1", "s1")
    before = await world.store.tasks.progress("t1", by(grant), 50)
    assert (await world.store.tasks.progress("t1", by(grant), 40)).rev == before.rev
    after = await world.store.tasks.progress("t1", by(grant), 40, metrics=LOSS)
    assert (after.rev, after.progress) == (before.rev + 1, 50)
    assert [point.progress for point in await world.store.tasks.history("t1")] == [40]
    updates, _ = await world.store.tasks.updates("t1", before.rev)
    assert [update.progress for update in updates] == [50]


async def test_the_history_is_bounded(open_world: OpenWorld) -> None:
    world = await open_world(StoreOptions(metrics_kept=3))
    await world.given_server("s1")
    grant = await world.running("t1", "s1")
    for n in range(5):
        await world.store.tasks.progress("t1", by(grant), n, metrics=b'{"n":%d}' % n)
    assert [point.progress for point in await world.store.tasks.history("t1")] == [2, 3, 4]


async def test_the_history_is_bounded_in_bytes(world: World) -> None:
    await world.given_server("s1")
    grant = await world.running("t1", "s1")
    large = b'{"x":"' + b"x" * 16_000 + b'"}'
    for n in range(40):
        await world.store.tasks.progress("t1", by(grant), float(n), metrics=large)
    points = await world.store.tasks.history("t1", limit=256)
    assert len(points) == 16
    assert points[-1].progress == 39.0


async def test_a_stale_report_records_nothing(world: World) -> None:
    await world.given_server("s1")
    await world.running("t1", "s1")
    with pytest.raises(StaleAttempt):
        await world.store.tasks.progress("t1", ByAttempt(1, "forged"), 10, metrics=LOSS, checkpoint="c")
    assert await world.store.tasks.history("t1") == []
    assert (await world.task("t1")).checkpoint == ""


async def test_a_checkpoint_is_given_to_every_later_attempt(world: World) -> None:
    await world.given_server("s1", max_concurrent=1)
    first = await world.running("t1", "s1")
    assert first.checkpoint == ""
    told = await world.store.tasks.progress("t1", by(first), 10, checkpoint="s3://b/é\n1")
    assert told.checkpoint == "s3://b/é\n1"
    await world.store.tasks.progress("t1", by(first), 20)
    await world.end(first, Verdict.RELEASED)
    second = await world.start("t1", "s1")
    assert second.checkpoint == "s3://b/é\n1"
    await world.end(second, Verdict.FAILED)
    await world.store.tasks.retry("t1", origin=ORIGIN, owner=OWNER, waiting_ms=None)
    third = await world.start("t1", "s1")
    assert third.checkpoint == "s3://b/é\n1"


async def test_it_comes_with_the_grant_of_a_freed_slot_and_with_a_repeated_one(world: World) -> None:
    await world.given_server("s1", max_concurrent=1)
    first = await world.running("t1", "s1")
    await world.store.tasks.progress("t1", by(first), 10, checkpoint="c1")
    await world.end(first, Verdict.RELEASED)
    other = await world.running("t2", "s1", boost_ms=10_000)
    await world.advance(5_000)
    grant = (await world.end(other, done(), want_next="n")).grant
    assert grant is not None
    assert (grant.task_id, grant.checkpoint) == ("t1", "c1")
    again = (await world.end(other, done(), want_next="n")).grant
    assert again == grant


async def test_a_worker_that_fetches_gets_it_too(world: World) -> None:
    await world.given_server("s1")
    first = await world.running("t1", "s1")
    await world.store.tasks.progress("t1", by(first), 10, checkpoint="c1")
    await world.end(first, Verdict.RELEASED)
    await world.store.servers.remove("s1")
    await world.given_server("w", transport=Transport.PULL)
    grant = await world.store.tasks.claim_next("w", claim_id="c", nonce="n", gateway=GATEWAY, lease_ms=LEASE_MS)
    assert grant is not None
    assert grant.checkpoint == "c1"


async def test_the_history_goes_with_the_task(world: World) -> None:
    await world.given_server("s1")
    grant = await world.running("t1", "s1")
    await world.store.tasks.progress("t1", by(grant), 10, metrics=LOSS)
    await world.end(grant, done())
    assert len(await world.store.tasks.history("t1")) == 1
    await world.store.tasks.delete("t1", origin=ORIGIN, owner=OWNER)
    assert await world.store.tasks.history("t1") == []
