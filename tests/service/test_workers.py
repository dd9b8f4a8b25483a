"""Claims of workers that fetch: waiting, waking, going away, draining."""

import asyncio
from typing import Any

import pytest

from dispatcher.domain.clock import ManualClock
from dispatcher.domain.errors import NotFound, Unavailable
from dispatcher.domain.event import FleetEvent
from dispatcher.domain.failure import Verdict
from dispatcher.domain.lane import Offer
from dispatcher.domain.server import Endpoints, NewServer, Transport
from dispatcher.domain.transitions import TaskState
from dispatcher.service.workers import Workers
from dispatcher.store.memory import MemoryStore
from tests.service.fakes import FakeServers, FakeTasks, a_grant, a_new_task, a_server

PENDING = FleetEvent("1", "task", {"id": "t1", "state": "PENDING"})


def a_worker(name: str, **fields: Any) -> NewServer:
    return NewServer(name, "native", name, Endpoints(), Offer(), transport=Transport.PULL, **fields)


def workers_of(tasks: Any, servers: Any, clock: ManualClock | None = None) -> Workers:
    return Workers(tasks, servers, gateway="gw_1", clock=clock or ManualClock())


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def waiting(workers: Workers, *names: str) -> list["asyncio.Task[Any]"]:
    claims = []
    for name in names:
        claims.append(asyncio.create_task(workers.claim(name, lease_ms=60_000, wait_ms=60_000)))
        await settle()
    return claims


async def test_a_claim_without_waiting_answers_at_once() -> None:
    store = MemoryStore(ManualClock())
    workers = workers_of(store.tasks, store.servers)
    await workers.enlist(a_worker("w1"))
    assert await workers.claim("w1", lease_ms=60_000) is None
    await store.tasks.create(a_new_task("t1"), gateway="gw_1")
    grant = await workers.claim("w1", lease_ms=60_000, note="hello\tthere")
    assert grant is not None
    task, _ = await store.tasks.get("t1")
    assert task is not None
    assert (task.note, task.attempts[0].note) == ("hello there", "hello there")


async def test_who_is_not_enlisted_is_told_so() -> None:
    store = MemoryStore(ManualClock())
    workers = workers_of(store.tasks, store.servers)
    for name in ("w1", "no such/name"):
        with pytest.raises(NotFound):
            await workers.claim(name, lease_ms=60_000)


async def test_enlisting_again_changes_nothing() -> None:
    store = MemoryStore(ManualClock())
    workers = workers_of(store.tasks, store.servers)
    await workers.enlist(a_worker("w1"))
    await store.tasks.create(a_new_task("t1"), gateway="gw_1")
    assert await workers.claim("w1", lease_ms=60_000) is not None
    assert (await workers.enlist(a_worker("w1", max_concurrent=3))).max_concurrent == 10
    task, _ = await store.tasks.get("t1")
    assert task is not None
    assert task.state is TaskState.PROCESSING


async def test_each_pending_task_wakes_one_claim_of_each_class() -> None:
    other = Offer(frozenset({"binary"}))
    tasks = FakeTasks()
    servers = FakeServers(a_server("a"), a_server("b"))
    servers.servers["c"] = a_server("c")
    object.__setattr__(servers.servers["c"], "offer", other)
    workers = workers_of(tasks, servers)
    claims = await waiting(workers, "a", "b", "c")
    tasks.calls.clear()
    workers.publish(PENDING)
    await settle()
    assert [call["server_id"] for call in tasks.asked("claim_next")] == ["a", "c"]
    workers.publish(PENDING)
    workers.publish(FleetEvent("2", "task", {"id": "t1", "state": "PROCESSING"}))
    await settle()
    assert [call["server_id"] for call in tasks.asked("claim_next")][2:] == ["b", "c"]
    await workers.drain()
    assert await asyncio.gather(*claims) == [None, None, None]
    assert len(workers) == 0


@pytest.mark.parametrize("state", ["handed", "asked"])
async def test_what_is_kept_for_one_worker_wakes_its_claim(state: str) -> None:
    tasks = FakeTasks()
    workers = workers_of(tasks, FakeServers(a_server("a"), a_server("b")))
    claims = await waiting(workers, "a", "b")
    tasks.calls.clear()
    workers.publish(FleetEvent("1", "server", {"id": "b", "state": state}))
    workers.publish(FleetEvent("2", "server", {"id": "a", "state": "online"}))
    await settle()
    assert [call["server_id"] for call in tasks.asked("claim_next")] == ["b"]
    await workers.drain()
    await asyncio.gather(*claims)


async def test_a_task_that_comes_while_the_queue_is_looked_at_is_not_missed() -> None:
    tasks = FakeTasks()
    workers = workers_of(tasks, FakeServers(a_server("a")))

    def in_between(_: Any) -> None:
        workers.publish(PENDING)

    tasks.script("claim_next", None, in_between, a_grant("t1"))
    grant = await workers.claim("a", lease_ms=60_000, wait_ms=60_000)
    assert grant is not None
    assert grant.task_id == "t1"


async def test_waiting_ends_with_its_time() -> None:
    clock = ManualClock()
    tasks = FakeTasks()

    def time_passes(_: Any) -> None:
        clock.advance(2_000)

    tasks.script("claim_next", None, time_passes)
    assert await workers_of(tasks, FakeServers(a_server("a")), clock).claim("a", lease_ms=1, wait_ms=2_000) is None
    assert len(tasks.asked("claim_next")) == 2


async def test_a_task_granted_to_a_caller_who_went_away_goes_back() -> None:
    tasks = FakeTasks()
    granted = asyncio.Event()

    async def slow() -> Any:
        await granted.wait()
        return a_grant("t1", fence=3)

    tasks.script("claim_next", lambda _: slow())
    workers = workers_of(tasks, FakeServers(a_server("a")))
    (claim,) = await waiting(workers, "a")
    claim.cancel()
    with pytest.raises(asyncio.CancelledError):
        await claim
    assert not tasks.asked("finish")
    granted.set()
    await settle()
    (ended,) = tasks.asked("finish")
    assert (ended["task_id"], ended["by"].fence, ended["outcome"].verdict) == ("t1", 3, Verdict.RELEASED)


async def test_a_caller_who_goes_away_while_waiting_leaves_the_line() -> None:
    workers = workers_of(FakeTasks(), FakeServers(a_server("a")))
    (claim,) = await waiting(workers, "a")
    assert len(workers) == 1
    claim.cancel()
    with pytest.raises(asyncio.CancelledError):
        await claim
    assert len(workers) == 0


async def test_a_gateway_that_stops_takes_no_claims() -> None:
    workers = workers_of(FakeTasks(), FakeServers(a_server("a")))
    await workers.drain()
    with pytest.raises(Unavailable):
        await workers.claim("a", lease_ms=60_000)
