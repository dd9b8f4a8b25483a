"""Leases, renewals, time-outs and deadlines: what time alone does, and what it must not do after an outage."""

import pytest

from dispatcher.domain.failure import Verdict
from dispatcher.domain.grant import Held
from dispatcher.domain.reporter import ByAttempt
from dispatcher.domain.server import Transport
from dispatcher.domain.task import AttemptStatus
from dispatcher.domain.transitions import TaskState
from dispatcher.store.options import StoreOptions
from tests.store.conftest import OpenWorld
from tests.store.world import GATEWAY, LEASE_MS, ORIGIN, World, by, done, held


async def test_an_expired_lease_is_a_loss(world: World) -> None:
    await world.given_server("s1")
    await world.running("t1", "s1")
    await world.later(LEASE_MS - 1)
    assert await world.state("t1") is TaskState.PROCESSING
    await world.later(1)
    task = await world.task("t1")
    assert (task.state, task.losses, task.attempts[0].status) == (TaskState.PENDING, 1, AttemptStatus.LOST)
    assert await world.active("s1") == 0


async def test_a_gateways_death_is_not_the_servers_fault(world: World) -> None:
    await world.given_server("s1", max_concurrent=4)
    await world.given_server("s2", max_concurrent=4)
    for n in range(4):
        await world.running(f"t{n}", "s1")
    await world.later(LEASE_MS)
    assert not (await world.store.servers.get("s1")).ejected_until_ms


async def test_a_renewed_lease_lives_on(world: World) -> None:
    await world.given_server("s1")
    grant = await world.running("t1", "s1")
    for _ in range(5):
        await world.later(LEASE_MS - 1)
        assert await world.store.tasks.renew([held(grant)], gateway=GATEWAY, lease_ms=LEASE_MS) == frozenset()
    assert await world.state("t1") is TaskState.PROCESSING


async def test_renewal_names_the_lost_ones(world: World) -> None:
    await world.given_server("s1")
    await world.given_server("s2")
    old = await world.running("t1", "s1")
    await world.end(old, Verdict.RELEASED)
    new = await world.start("t1", "s2")
    finished = await world.running("t2", "s1")
    await world.end(finished, done())
    unknown = Held("nothing", "s1", 1)
    asked = [held(old), held(new), held(finished), unknown]
    lost = await world.store.tasks.renew(asked, gateway=GATEWAY, lease_ms=LEASE_MS)
    assert lost == {held(old), held(finished), unknown}


async def test_the_slot_of_a_cancelled_task_is_renewed_up_to_the_time_out(world: World) -> None:
    await world.given_server("s1")
    grant = await world.running("t1", "s1", timeout_ms=20_000)
    await world.store.tasks.cancel("t1", origin=ORIGIN, owner=None)
    await world.later(14_000)
    assert await world.store.tasks.renew([held(grant)], gateway=GATEWAY, lease_ms=LEASE_MS) == frozenset()
    await world.later(5_999)
    assert await world.active("s1") == 1
    await world.later(1)
    assert await world.active("s1") == 0


async def test_an_accepted_attempt_lives_by_heartbeats_alone(world: World) -> None:
    await world.given_server("s1")
    grant = await world.running("t1", "s1")
    assert await world.store.tasks.accept("t1", by(grant), lease_ms=30_000)
    await world.later(29_000)
    await world.beat("s1")
    await world.store.tasks.renew([held(grant)], gateway=GATEWAY, lease_ms=1_000)
    await world.later(29_999)
    assert await world.state("t1") is TaskState.PROCESSING
    await world.later(1)
    assert await world.state("t1") is TaskState.PENDING


async def test_a_worker_that_may_be_silent_for_so_long_has_its_attempt_for_so_long(world: World) -> None:
    await world.given_server("w1", transport=Transport.SOCKET, silence_ms=5_000)
    await world.given_task("t1")
    assert await world.store.tasks.claim_next("w1", claim_id="c", nonce="n", gateway=GATEWAY, lease_ms=5_000)
    for _ in range(2):
        await world.later(4_000)
        await world.beat("w1")
    await world.later(4_999)
    assert await world.state("t1") is TaskState.PROCESSING
    await world.later(1)
    assert await world.state("t1") is TaskState.PENDING


async def test_a_heartbeat_does_not_renew_what_a_gateway_holds(world: World) -> None:
    await world.given_server("s1")
    await world.running("t1", "s1")
    await world.later(10_000)
    await world.beat("s1")
    await world.later(5_000)
    assert (await world.task("t1")).losses == 1


@pytest.mark.parametrize(("fence", "nonce"), [(2, None), (1, "other")])
async def test_only_the_current_attempt_can_be_accepted(world: World, fence: int, nonce: str | None) -> None:
    await world.given_server("s1")
    grant = await world.running("t1", "s1")
    other = ByAttempt(fence, nonce or grant.nonce)
    assert not await world.store.tasks.accept("t1", other, lease_ms=30_000)
    await world.end(grant, done())
    assert not await world.store.tasks.accept("t1", by(grant), lease_ms=30_000)
    assert not await world.store.tasks.accept("none", by(grant), lease_ms=30_000)


async def test_an_attempt_times_out_a_second_after_its_time(world: World) -> None:
    await world.given_server("s1")
    await world.given_task("t1", timeout_ms=2_000, attempts_max=2)
    await world.start("t1", "s1")
    await world.later(2_999)
    assert await world.state("t1") is TaskState.PROCESSING
    await world.later(1)
    task = await world.task("t1")
    assert (task.state, task.failures, task.attempts[0].status) == (TaskState.RETRYING, 1, AttemptStatus.TIMEOUT)
    assert await world.active("s1") == 1  # it may still be working
    await world.later(1_000)
    await world.start("t1", "s1")
    await world.later(3_000)
    task = await world.task("t1")
    assert task.state is TaskState.TIMEOUT
    assert task.error is not None
    assert task.error.code == "TIMEOUT"


@pytest.mark.parametrize("waiting", [True, False])
async def test_a_deadline_ends_a_waiting_task(world: World, waiting: bool) -> None:
    if waiting:
        await world.given_task("t1", waiting_ms=4_000)
    else:
        await world.given_task("t1", deadline_ms=world.now + 4_000)
    await world.later(3_999)
    assert await world.state("t1") is TaskState.PENDING
    await world.later(1)
    task = await world.task("t1")
    assert (task.state, task.ended_ms) == (TaskState.TIMEOUT, world.now)
    assert task.error is not None
    assert task.error.code == "DEADLINE"


async def test_the_waiting_deadline_runs_from_run_at(world: World) -> None:
    await world.given_task("t1", run_at_ms=world.now + 10_000, waiting_ms=4_000)
    await world.later(13_999)
    assert await world.state("t1") is TaskState.PENDING
    await world.later(1)
    assert await world.state("t1") is TaskState.TIMEOUT


async def test_after_an_outage_nobody_loses_a_lease_at_once(world: World) -> None:
    await world.given_server("s1")
    grant = await world.running("t1", "s1")
    await world.tick()
    await world.advance(60_000)
    await world.tick()
    assert await world.state("t1") is TaskState.PROCESSING
    assert await world.store.tasks.renew([held(grant)], gateway=GATEWAY, lease_ms=LEASE_MS) == frozenset()
    await world.later(LEASE_MS - 1)
    assert await world.state("t1") is TaskState.PROCESSING
    await world.later(1)
    assert (await world.task("t1")).losses == 1


async def test_a_tick_does_no_more_than_its_limit(world: World) -> None:
    for n in range(5):
        await world.given_task(f"t{n}", waiting_ms=1_000)
    await world.advance(1_000)
    first = await world.store.tasks.tick(gateway=GATEWAY, limit=3)
    assert (first.handled, first.more) == (3, True)
    second = await world.store.tasks.tick(gateway=GATEWAY, limit=3)
    assert (second.handled, second.more) == (2, False)


async def test_without_retry_budget_a_retry_waits_for_it(open_world: OpenWorld) -> None:
    world = await open_world(StoreOptions(retry_budget_cap=1, retry_budget_share=0, retry_budget_per_s=0.25))
    await world.given_server("s1", max_concurrent=9)
    for n in range(2):
        await world.end(await world.running(f"t{n}", "s1"), Verdict.FAILURE, retry_delay_ms=100)
    await world.later(100)
    assert await world.state("t0") is TaskState.PENDING
    assert await world.state("t1") is TaskState.RETRYING
    await world.later(3_000)
    assert await world.state("t1") is TaskState.RETRYING
    await world.later(2_000)
    assert await world.state("t1") is TaskState.PENDING


async def test_an_hour_without_budget_ends_with_the_last_cause(open_world: OpenWorld) -> None:
    world = await open_world(
        StoreOptions(retry_budget_cap=0, retry_budget_share=0, retry_budget_per_s=0, retry_wait_max_ms=20_000)
    )
    await world.given_server("s1")
    await world.end(await world.running("t1", "s1"), Verdict.FAILURE, retry_delay_ms=0)
    await world.end(await world.running("t2", "s1", deadline_ms=world.now + 90_000), Verdict.FAILURE, retry_delay_ms=0)
    await world.later(25_000)
    task = await world.task("t1")
    assert task.state is TaskState.FAILED
    assert task.error is not None
    assert task.error.code == "RETRIES_EXHAUSTED"
    assert await world.state("t2") is TaskState.RETRYING
    await world.later(70_000)
    assert await world.state("t2") is TaskState.TIMEOUT


async def test_ended_tasks_go_after_the_retention(open_world: OpenWorld) -> None:
    world = await open_world(StoreOptions(retention_ms=10_000))
    await world.given_server("s1")
    await world.end(await world.running("t1", "s1"), done())
    await world.later(9_999)
    assert await world.state("t1") is TaskState.COMPLETED
    await world.advance(1)
    await world.tick()
    assert (await world.store.tasks.get("t1"))[0] is None
