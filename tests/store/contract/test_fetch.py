"""Workers that fetch their work: one queue, one order, one set of slots with those that it is pushed to."""

from dataclasses import replace

import pytest

from dispatcher.domain.errors import IllegalState, NotFound, StaleAttempt
from dispatcher.domain.failure import Outcome, Verdict
from dispatcher.domain.grant import Grant
from dispatcher.domain.lane import Demand, Offer
from dispatcher.domain.reporter import ByHolder
from dispatcher.domain.resources import Resources
from dispatcher.domain.server import Endpoints, NewServer, ServerStatus, Transport
from dispatcher.domain.transitions import TaskState
from tests.store.world import GATEWAY, World, by, done, new_task

LEASE_MS = 60_000


async def fetch(world: World, worker: str = "w1", claim_id: str | None = None) -> Grant | None:
    fetch.n += 1  # type: ignore[attr-defined]
    name = claim_id or f"fetch{fetch.n}"  # type: ignore[attr-defined]
    return await world.store.tasks.claim_next(
        worker, claim_id=name, nonce=f"n-{name}", gateway=GATEWAY, lease_ms=LEASE_MS
    )


fetch.n = 0  # type: ignore[attr-defined]


async def worker(world: World, name: str = "w1", **changes: object) -> None:
    await world.given_server(name, transport=Transport.PULL, silence_ms=60_000, **changes)


async def test_a_worker_gets_the_head_and_holds_it(world: World) -> None:
    await worker(world)
    await world.given_task("t1")
    await world.given_task("t2", boost_ms=1_000)
    grant = await fetch(world)
    assert grant is not None
    assert (grant.task_id, grant.server_id, grant.fence) == ("t2", "w1", 1)
    assert (await world.task("t2")).server_id == "w1"
    assert await world.active("w1") == 1
    second = await fetch(world)
    assert second is not None
    assert second.task_id == "t1"
    assert await fetch(world) is None


async def test_an_unregistered_worker_is_told_so(world: World) -> None:
    with pytest.raises(NotFound):
        await fetch(world, "nobody")


async def test_a_lost_answer_is_given_again(world: World) -> None:
    await worker(world)
    await world.given_task("t1")
    await world.given_task("t2")
    first = await fetch(world, claim_id="c")
    assert await fetch(world, claim_id="c") == first
    assert await world.active("w1") == 1


async def test_work_is_never_pushed_to_it(world: World) -> None:
    await worker(world)
    assert (await world.given_task("t1")).candidates is None
    await world.given_server("s1", max_concurrent=1)
    grant = await world.running("t2", "s1")
    await world.advance(300)
    assert [w.task_id for w in await world.store.tasks.peek()] == []
    assert (await world.end(grant, done(), want_next="n")).grant is not None
    held = await fetch(world)
    assert held is None  # t1 went to the pushed server
    await world.given_task("t3")
    mine = await fetch(world)
    assert mine is not None
    await world.given_task("t4")
    assert (await world.end(mine, done(), want_next="n")).grant is None
    assert "w1" not in [s.id for s in (await world.store.servers.snapshot()).fitting(mine.lane)]


async def test_it_never_holds_more_than_its_slots_or_while_in_maintenance(world: World) -> None:
    await worker(world, max_concurrent=1)
    await world.given_task("t1")
    await world.given_task("t2")
    first = await fetch(world)
    assert first is not None
    assert await fetch(world) is None
    await world.end(first, done())
    await world.store.servers.set_maintenance("w1", True, "")
    assert await fetch(world) is None
    await world.store.servers.set_maintenance("w1", False, "")
    assert await fetch(world) is not None


async def test_a_task_under_another_s_first_right_is_left_alone(world: World) -> None:
    await worker(world)
    await world.given_server("s1")
    assert (await world.given_task("t1")).candidates is not None
    assert await fetch(world) is None
    await world.advance(250)
    assert await fetch(world) is not None


async def test_its_reports_keep_the_lease_and_silence_loses_it(world: World) -> None:
    await worker(world)
    await world.given_task("t1")
    grant = await fetch(world)
    assert grant is not None
    await world.later(50_000)
    await world.store.tasks.progress("t1", ByHolder("w1"), 0, lease_ms=LEASE_MS)
    await world.later(50_000)
    assert await world.state("t1") is TaskState.PROCESSING
    await world.later(10_000)
    assert await world.state("t1") is TaskState.PENDING
    assert (await world.task("t1")).losses == 1
    assert await world.active("w1") == 0


async def test_a_heartbeat_never_shortens_a_longer_lease(world: World) -> None:
    await worker(world)
    await world.given_task("t1")
    assert await fetch(world) is not None
    await world.beat("w1")
    await world.later(45_000)
    assert await world.state("t1") is TaskState.PROCESSING


async def test_fetching_is_a_sign_of_life_of_its_own_length(world: World) -> None:
    await worker(world)
    await world.later(59_999)
    assert await fetch(world) is None
    await world.later(59_999)
    assert (await world.store.servers.get("w1")).status is ServerStatus.ONLINE
    await world.later(1)
    assert (await world.store.servers.get("w1")).status is ServerStatus.OFFLINE
    assert await fetch(world) is None
    assert (await world.store.servers.get("w1")).status is ServerStatus.ONLINE


async def test_a_task_whose_reports_name_no_attempt_goes_to_another_worker(world: World) -> None:
    await worker(world, "w1")
    await world.given_task("t1", shy=True)
    assert await fetch(world, "w1") is not None
    await world.later(60_000)
    assert await world.state("t1") is TaskState.PENDING
    await worker(world, "w2")
    await world.later(10_000)
    assert await fetch(world, "w1") is None
    assert await fetch(world, "w2") is not None
    with pytest.raises(StaleAttempt):
        await world.store.tasks.progress("t1", ByHolder("w1"), 50)


async def test_the_only_worker_gets_it_again(world: World) -> None:
    await worker(world)
    await world.given_task("t1", shy=True)
    first = await fetch(world)
    assert first is not None
    await world.later(60_000)
    again = await fetch(world)
    assert again is not None
    assert again.fence == 2


async def test_its_end_is_final_and_fenced(world: World) -> None:
    await worker(world)
    await world.given_task("t1")
    grant = await fetch(world)
    assert grant is not None
    ended = await world.store.tasks.finish(
        "t1", ByHolder("w1"), Outcome(Verdict.FAILED, code="WORKER_FAILED"), gateway=GATEWAY, retry_delay_ms=0
    )
    assert ended.state is TaskState.FAILED
    assert (await world.end(grant, Outcome(Verdict.FAILED, code="WORKER_FAILED"))).duplicate
    assert by(grant).fence == 1


async def test_what_a_claim_says_of_its_worker_stays_with_the_attempt(world: World) -> None:
    await worker(world)
    await world.given_task("t1")
    await world.store.tasks.claim_next(
        "w1", claim_id="c", nonce="n", gateway=GATEWAY, lease_ms=LEASE_MS, note='{"at":"ä"}\n'
    )
    await world.later(60_000)
    assert (await world.task("t1")).note == '{"at":"ä"} '
    assert await fetch(world) is not None
    found = await world.task("t1")
    assert found.note == ""
    assert [(a.status.value, a.note, a.error) for a in found.attempts] == [
        ("lost", '{"at":"ä"} ', "The lease ran out"),
        ("running", "", ""),
    ]


async def test_a_failure_keeps_the_result_that_came_with_it(world: World) -> None:
    await worker(world)
    await world.given_task("t1")
    assert await fetch(world) is not None
    failed = Outcome(Verdict.FAILED, b'{"n":1}', "d", code="WORKER_FAILED", text="no")
    await world.store.tasks.finish("t1", ByHolder("w1"), failed, gateway=GATEWAY, retry_delay_ms=0)
    found = await world.task("t1")
    assert found.result == b'{"n":1}'
    assert found.error is not None
    await world.store.tasks.retry("t1", origin=found.origin, owner=None, waiting_ms=None)
    assert (await world.task("t1")).result is None


async def test_a_known_worker_is_kept_as_it_is(world: World) -> None:
    await worker(world, max_concurrent=7)
    await world.given_task("t1")
    assert await fetch(world) is not None
    known = await world.store.servers.get("w1")
    again = NewServer("w1", "native", "other", Endpoints(), known.offer, max_concurrent=3, transport=Transport.PULL)
    assert (await world.store.servers.put(again, keep=True)).max_concurrent == 7
    assert await world.state("t1") is TaskState.PROCESSING
    assert (await world.store.servers.get("w1")).address == ""
    moved = await world.store.servers.put(replace(again, address="10.0.0.1:1"), keep=True)
    assert (moved.address, moved.max_concurrent) == ("10.0.0.1:1", 7)
    assert (await world.store.servers.snapshot()).servers["w1"].address == "10.0.0.1:1"
    fresh = NewServer("w2", "native", "w2", Endpoints(), known.offer, max_concurrent=3, transport=Transport.PULL)
    assert (await world.store.servers.put(fresh, keep=True)).max_concurrent == 3


async def test_what_workers_run_is_known_the_last_started_first(world: World) -> None:
    await worker(world, "w1")
    await worker(world, "w2")
    for name in ("t1", "t2", "t3"):
        await world.given_task(name)
    assert await fetch(world) is not None
    await world.advance(1)
    assert await fetch(world) is not None
    found = await world.store.tasks.running(["w1", "w2", "w3"])
    assert {name: [task.id for task in tasks] for name, tasks in found.items()} == {
        "w1": ["t2", "t1"],
        "w2": [],
        "w3": [],
    }
    assert found["w1"][0].payload is None
    assert (await world.store.tasks.get("t1", payload=True))[0].payload == b'{"n":1}'  # type: ignore[union-attr]


async def test_its_reports_are_signs_of_life(world: World) -> None:
    await worker(world)
    await world.given_task("t1")
    assert await fetch(world) is not None
    await world.later(50_000)
    await world.store.tasks.progress("t1", ByHolder("w1"), 0, lease_ms=LEASE_MS)
    await world.later(59_999)
    assert (await world.store.servers.get("w1")).status is ServerStatus.ONLINE
    assert (await world.store.servers.get("w1")).last_seen_ms == world.now - 59_999
    await world.later(1)
    assert (await world.store.servers.get("w1")).status is ServerStatus.OFFLINE


async def test_only_what_waits_can_be_cancelled_when_so_asked(world: World) -> None:
    await worker(world)
    await world.given_task("t1")
    assert await fetch(world) is not None
    with pytest.raises(IllegalState):
        await world.store.tasks.cancel("t1", origin="native", owner=None, waiting_only=True)
    assert await world.state("t1") is TaskState.PROCESSING
    await world.given_task("t2")
    await world.store.tasks.cancel("t2", origin="native", owner=None, waiting_only=True)
    assert await world.state("t2") is TaskState.CANCELLED


async def test_a_worker_that_stays_away_is_forgotten(world: World) -> None:
    await worker(world, "w1", forget_ms=10_000)
    await worker(world, "w2")
    await world.later(60_000)
    assert (await world.store.servers.get("w1")).status is ServerStatus.OFFLINE
    await world.later(9_000)
    assert await fetch(world, "w1") is None
    await world.later(60_000)
    await world.later(9_000)
    assert (await world.store.servers.get("w1")).status is ServerStatus.OFFLINE, "it had come back once more"
    await world.later(1_000)
    with pytest.raises(NotFound):
        await fetch(world, "w1")
    assert (await world.store.servers.get("w2")).status is ServerStatus.OFFLINE


async def test_what_a_forgotten_worker_still_held_goes_back(world: World) -> None:
    await worker(world, forget_ms=10_000)
    await world.given_task("t1")
    await world.store.tasks.claim_next("w1", claim_id="c", nonce="n", gateway=GATEWAY, lease_ms=600_000)
    await world.later(60_000)
    assert await world.state("t1") is TaskState.PROCESSING
    await world.later(10_000)
    found = await world.task("t1")
    assert (found.state, found.losses, found.attempts[0].status.value) == (TaskState.PENDING, 0, "released")


async def test_a_grant_says_what_runs_it_and_what_it_may_take(world: World) -> None:
    needs = Resources(cpu=0.5, memory=1 << 30)
    offer = Offer(kinds=frozenset({"process", "predict"}), resources=Resources(cpu=2, memory=4 << 30))
    await world.store.servers.put(NewServer("w1", "native", "w1", Endpoints(), offer, transport=Transport.PULL))
    task = replace(new_task("t1", needs=needs, boost_ms=1_000), demand=Demand("process").shaped(needs))
    await world.store.tasks.create(task, gateway=GATEWAY)
    await world.given_task("t2")
    first, second = await fetch(world), await fetch(world)
    assert first is not None
    assert second is not None
    assert (first.kind, first.needs) == ("process", needs)
    assert (second.kind, second.needs) == ("predict", Resources())
