"""Sockets of workers: demand, delivery, one connection for each worker, and words about the tasks it holds."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from dispatcher.domain.clock import ManualClock
from dispatcher.domain.errors import AlreadyEnded, Forbidden, NotFound, StaleAttempt, Unavailable
from dispatcher.domain.event import FleetEvent
from dispatcher.domain.failure import Outcome, Verdict
from dispatcher.domain.grant import Finished, Grant, Held
from dispatcher.domain.lane import Offer
from dispatcher.domain.server import Endpoints, NewServer, Transport
from dispatcher.domain.task import Task
from dispatcher.domain.transitions import TaskState
from dispatcher.service.dispatch import Dispatch, DispatchOptions
from dispatcher.service.latencies import Latencies
from dispatcher.service.sessions import Control, Session, Sessions
from dispatcher.service.waits import Waits
from dispatcher.service.workers import Workers
from dispatcher.store.memory import MemoryStore
from tests.service.fakes import (
    DONE,
    FakeForwarder,
    FakeServers,
    FakeTasks,
    a_grant,
    a_new_task,
    a_server,
    a_task,
    until,
)

LEASE_MS = 30_000


class FakeChannel:
    """A worker's end of a socket. `broken` is raised by the next task; a set `hold` keeps tasks from being written."""

    def __init__(self) -> None:
        self.got: list[Grant] = []
        self.told: list[tuple[str, str, int]] = []
        self.heard: list[str] = []
        self.broken: Exception | None = None
        self.hold: asyncio.Event | None = None

    async def assign(self, grant: Grant) -> None:
        if self.broken is not None:
            raise self.broken
        if self.hold is not None:
            await self.hold.wait()
        self.got.append(grant)
        self.heard.append(f"task {grant.task_id}")

    async def control(self, action: Control, task_id: str, fence: int, reason: str) -> None:
        self.told.append((action.value, task_id, fence))
        self.heard.append(f"{action.value} {task_id}: {reason}")

    async def replaced(self) -> None:
        self.heard.append("replaced")

    async def going_away(self) -> None:
        self.heard.append("going away")


class Member:
    """One gateway on a shared store, which hears the fleet's events."""

    def __init__(self, name: str, tasks: Any, servers: Any) -> None:
        clock = ManualClock()
        self.workers = Workers(tasks, servers, gateway=name, clock=clock)
        self.pauses: list[float] = []
        self.dispatch = Dispatch(
            tasks, servers, FakeForwarder(), Waits(), Latencies(),
            clock=clock, rng=random.Random(1), gateway=name, options=DispatchOptions(),
        )  # fmt: skip
        self.sessions = Sessions(tasks, servers, self.workers, self.dispatch, gateway=name, sleep=self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)

    def hear(self, event: FleetEvent) -> None:
        self.workers.publish(event)
        self.sessions.publish(event)

    async def close(self) -> None:
        await self.workers.drain()
        await self.sessions.drain()
        await self.dispatch.drain(1.0)


class World:
    """Two gateways on the store in memory."""

    def __init__(self) -> None:
        self.store = MemoryStore(ManualClock())
        self.members = [Member(name, self.store.tasks, self.store.servers) for name in ("gw_1", "gw_2")]
        self.one, self.two = self.members

    async def run(self) -> None:
        async for event in self.store.coordination.events():
            for member in self.members:
                member.hear(event)

    async def worker(self, name: str = "w1", **fields: Any) -> None:
        new = NewServer(name, "native", name, Endpoints(), Offer(), transport=Transport.SOCKET, **fields)
        await self.store.servers.put(new)

    async def task(self, task_id: str = "t1") -> None:
        await self.store.tasks.create(a_new_task(task_id), gateway="gw_1")

    async def state(self, task_id: str = "t1") -> Task:
        task, _ = await self.store.tasks.get(task_id)
        assert task is not None
        return task

    @asynccontextmanager
    async def socket(
        self, member: Member | None = None, name: str = "w1"
    ) -> AsyncIterator[tuple[Session, FakeChannel]]:
        channel = FakeChannel()
        async with (member or self.one).sessions.open(name, channel, lease_ms=LEASE_MS) as session:
            yield session, channel


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    await world.worker()
    running = asyncio.create_task(world.run())
    await asyncio.sleep(0)
    yield world
    for member in world.members:
        await member.close()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def settle() -> None:
    for _ in range(30):
        await asyncio.sleep(0)


async def test_tasks_come_as_they_are_asked_for_and_never_more(world: World) -> None:
    await world.task("t1")
    async with world.socket() as (session, channel):
        await settle()
        assert not channel.got, "nothing was asked for"
        session.ask()
        await until(lambda: len(channel.got) == 1)
        await world.task("t2")
        await settle()
        assert len(channel.got) == 1
        session.ask(2)
        await until(lambda: len(channel.got) == 2)
        await world.task("t3")  # wakes the claim that waits
        await until(lambda: len(channel.got) == 3)
    task = await world.state("t3")
    assert (task.state, task.server_id) == (TaskState.PROCESSING, "w1")


async def test_demand_is_bounded_by_what_the_worker_may_run(world: World) -> None:
    await world.worker("w2", max_concurrent=2)
    async with world.socket(name="w2") as (session, channel):
        session.ask(1_000)
        for n in range(4):
            await world.task(f"t{n}")
        await until(lambda: len(channel.got) == 2)
        for grant in channel.got[:]:
            await session.finish(grant.task_id, DONE)
        await settle()
        assert len(channel.got) == 2, "the demand is spent"


async def test_an_end_frees_the_slot_for_what_was_asked_before(world: World) -> None:
    await world.worker("w2", max_concurrent=1)
    await world.task("t1")
    await world.task("t2")
    async with world.socket(name="w2") as (session, channel):
        session.ask()
        await until(lambda: len(channel.got) == 1)
        session.ask()
        await settle()
        assert len(channel.got) == 1
        ended = await session.finish("t1", DONE, fence=1)
        assert ended.state is TaskState.COMPLETED
        await until(lambda: [grant.task_id for grant in channel.got] == ["t1", "t2"])
        assert not channel.told


@pytest.mark.parametrize("how", ["raises", "closed"])
async def test_a_task_that_could_not_be_written_goes_back_unharmed(world: World, how: str) -> None:
    await world.task()
    async with world.socket() as (session, channel):
        if how == "raises":
            channel.broken = ConnectionResetError()
        else:
            channel.hold = asyncio.Event()
        session.ask()
        await settle()
    await until(lambda: world.store.tasks._s.tasks["t1"].state is TaskState.PENDING)
    task = await world.state()
    assert (task.losses, task.failures, [a.status.value for a in task.attempts]) == (0, 0, ["released"])
    assert (await world.store.servers.get("w1")).active == 0


async def test_the_newest_connection_takes_over_on_the_same_gateway_and_on_another(world: World) -> None:
    async with world.socket() as (first, old), world.socket() as (second, newer):
        await until(lambda: old.heard == ["replaced"])
        async with world.socket(world.two) as (_, newest):
            await until(lambda: newer.heard == ["replaced"])
            await world.task()
            first.ask()
            second.ask()
            await settle()
            assert not old.got
            assert not newer.got
            server = await world.store.servers.get("w1")
            assert server.gateway == "gw_2"
            assert newest.heard == []
    await settle()
    assert (await world.store.servers.get("w1")).session == ""
    assert len(world.one.sessions) == len(world.two.sessions) == 0


async def test_a_claim_tells_an_old_connection_even_when_the_news_was_lost(world: World) -> None:
    async with world.socket() as (session, channel):
        await world.store.servers.connect("w1", "elsewhere", "gw_3")
        world.one.sessions.publish = lambda event: None  # type: ignore[method-assign]
        session.ask()
        await until(lambda: "replaced" in channel.heard)


async def test_news_of_an_older_connection_replace_nobody(world: World) -> None:
    async with world.socket() as (_, channel):
        world.one.sessions.publish(FleetEvent("1", "server.connected", {"id": "w1", "session": "before"}))
        await settle()
        assert channel.heard == []


async def test_a_cancelled_task_is_stopped_at_its_worker_whose_word_frees_the_slot(world: World) -> None:
    await world.task()
    async with world.socket() as (session, channel):
        session.ask()
        await until(lambda: len(channel.got) == 1)
        await world.store.tasks.cancel("t1", origin="native", owner=None)
        await until(lambda: channel.told == [("stop", "t1", 1)])
        assert (await world.store.servers.get("w1")).active == 1
        with pytest.raises(AlreadyEnded):
            await session.finish("t1", Outcome(Verdict.RELEASED), fence=1)
        assert (await world.store.servers.get("w1")).active == 0


async def test_a_task_whose_attempt_was_lost_is_stopped(world: World) -> None:
    await world.task()
    async with world.socket() as (session, channel):
        session.ask()
        await until(lambda: len(channel.got) == 1)
        world.store.tasks._s.clock.advance(LEASE_MS)
        while (await world.store.tasks.tick(gateway="gw_2")).more:
            pass
        await until(lambda: channel.told == [("stop", "t1", 1)])
        with pytest.raises(StaleAttempt):
            await session.finish("t1", DONE, fence=1)


async def test_on_opening_it_hears_of_what_ended_while_it_was_away(world: World) -> None:
    await world.task("t1")
    await world.task("t2")
    async with world.socket() as (session, channel):
        session.ask(2)
        await until(lambda: len(channel.got) == 2)
    await world.store.tasks.cancel("t1", origin="native", owner=None)
    async with world.socket(world.two) as (session, channel):
        await until(lambda: channel.told == [("stop", "t1", 1)])
        await world.store.tasks.cancel("t2", origin="native", owner=None)
        await until(lambda: channel.told[1:] == [("stop", "t2", 1)])


async def test_progress_and_heartbeats_pass_through(world: World) -> None:
    await world.task()
    async with world.socket() as (session, channel):
        session.ask()
        await until(lambda: len(channel.got) == 1)
        assert (await session.progress("t1", 40)).progress == 40
        assert (await session.heartbeat(metrics='{"gpu":1}', running=["t1"])).metrics == '{"gpu":1}'
        await settle()
        assert channel.told == [], "its own progress is no news"
        for task_id in ("t9", "no such/name"):
            with pytest.raises(NotFound):
                await session.finish(task_id, DONE)
            with pytest.raises(NotFound):
                await session.progress(task_id, 1)
        await world.task("t2")
        with pytest.raises(Forbidden):
            await session.finish("t2", DONE)


async def test_unknown_workers_and_gateways_that_stop_open_nothing(world: World) -> None:
    for name in ("nobody", "no such/name"):
        with pytest.raises(NotFound):
            async with world.socket(name=name):
                pass
    assert len(world.one.sessions) == 0
    await world.one.sessions.drain()
    with pytest.raises(Unavailable):
        async with world.socket():
            pass


async def test_draining_and_unregistering_send_workers_away(world: World) -> None:
    await world.worker("w2")
    async with AsyncExitStack() as stack:
        session, unregistered = await stack.enter_async_context(world.socket(name="w2"))
        await world.store.servers.remove("w2")
        session.ask()
        await until(lambda: unregistered.heard == ["going away"])
    async with AsyncExitStack() as stack:
        _, channel = await stack.enter_async_context(world.socket())
        draining = asyncio.create_task(world.one.sessions.drain())
        await until(lambda: channel.heard == ["going away"])
        await stack.aclose()
        await draining


async def test_a_gateway_looks_less_often_the_more_workers_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    workers = Workers(FakeTasks(), FakeServers(), gateway="gw_1", clock=ManualClock())
    assert workers.look_again_s == 1.0
    monkeypatch.setattr(Workers, "__len__", lambda _: 1_000)
    assert workers.look_again_s == 10.0


# ---- with stand-ins for what this store cannot be brought into


@asynccontextmanager
async def holding(tasks: FakeTasks) -> AsyncIterator[tuple[Member, Session, FakeChannel]]:
    """A socket whose worker has t1."""
    member = Member("gw_1", tasks, FakeServers(a_server("w1")))
    channel = FakeChannel()
    tasks.script("claim_next", a_grant("t1"))
    async with member.sessions.open("w1", channel, lease_ms=LEASE_MS) as session:
        session.ask()
        await until(lambda: len(channel.got) == 1)
        yield member, session, channel
    await member.close()


def news(state: str, task_id: str = "t1") -> FleetEvent:
    return FleetEvent("1", f"task.{state.lower()}", {"id": task_id, "state": state, "rev": "2"})


def now(tasks: FakeTasks, state: TaskState, **fields: Any) -> None:
    tasks.script("get", (a_task(state=state, **({"fence": 1, "attempt_lives": True} | fields)), None))


async def test_pause_and_resume_are_told_once_with_their_reason() -> None:
    tasks = FakeTasks()
    async with holding(tasks) as (member, _, channel):
        now(tasks, TaskState.PAUSED, reason="night")
        member.hear(news("PAUSED"))
        await until(lambda: channel.heard[1:] == ["pause t1: night"])
        now(tasks, TaskState.PAUSED, reason="night")
        member.hear(news("PAUSED"))
        await settle()
        now(tasks, TaskState.PROCESSING, reason="day")
        member.hear(news("PROCESSING"))
        await until(lambda: channel.heard[1:] == ["pause t1: night", "resume t1: day"])
        reads = len(tasks.asked("get"))
        member.hear(news("PROCESSING"))
        member.hear(news("PAUSED", "t2"))
        await settle()
        assert len(tasks.asked("get")) == reads, "progress, and tasks of others, are not looked at"


async def test_a_lease_lost_while_paused_stops_the_worker() -> None:
    tasks = FakeTasks()
    async with holding(tasks) as (member, _, channel):
        now(tasks, TaskState.PAUSED)
        member.hear(news("PAUSED"))
        await until(lambda: channel.told == [("pause", "t1", 1)])
        now(tasks, TaskState.PAUSED, attempt_lives=False)
        member.hear(news("PAUSED"))
        await until(lambda: channel.told[1:] == [("stop", "t1", 1)])


async def test_on_opening_a_pause_is_told_again_and_others_have_stopped() -> None:
    tasks = FakeTasks()
    found = [
        (Held("p", "w1", 1), a_task("p", TaskState.PAUSED, fence=1, attempt_lives=True)),
        (Held("r", "w1", 2), a_task("r", TaskState.PROCESSING, fence=2, attempt_lives=True)),
        (Held("o", "w1", 1), a_task("o", TaskState.PROCESSING, fence=2, attempt_lives=True)),
        (Held("d", "w1", 1), None),
    ]
    tasks.script("holding", Unavailable("gone"), found)
    async with holding(tasks) as (member, _, channel):
        await until(lambda: len(channel.told) == 3)
        assert channel.told == [("pause", "p", 1), ("stop", "o", 1), ("stop", "d", 1)]
        assert member.pauses == [1.0]


async def test_a_cancellation_that_overtakes_its_task_is_told_after_it() -> None:
    tasks = FakeTasks()
    member = Member("gw_1", tasks, FakeServers(a_server("w1")))
    channel = FakeChannel()

    def granted(_: Any) -> Grant:
        member.hear(news("CANCELLED"))  # before the claim's answer has come
        return a_grant("t1")

    tasks.script("claim_next", granted)
    now(tasks, TaskState.CANCELLED, attempt_lives=False)
    async with member.sessions.open("w1", channel, lease_ms=LEASE_MS) as session:
        channel.hold = asyncio.Event()
        session.ask()
        await settle()
        assert channel.heard == []
        channel.hold.set()
        await until(lambda: len(channel.heard) == 2)
        assert channel.heard == ["task t1", "stop t1: The task is CANCELLED"]
    await member.close()


async def test_what_a_gap_in_the_stream_hid_is_looked_for() -> None:
    tasks = FakeTasks()
    async with holding(tasks) as (member, _, channel):
        now(tasks, TaskState.TIMEOUT, attempt_lives=False)
        member.sessions.interrupted()
        await until(lambda: channel.told == [("stop", "t1", 1)])


async def test_a_store_out_of_reach_is_asked_again() -> None:
    tasks = FakeTasks()
    async with holding(tasks) as (member, session, channel):
        tasks.script("get", Unavailable("gone"))
        now(tasks, TaskState.CANCELLED, attempt_lives=False)
        member.hear(news("CANCELLED"))
        await until(lambda: channel.told == [("stop", "t1", 1)])
        tasks.script("claim_next", Unavailable("gone"), a_grant("t2"))
        session.ask()
        await until(lambda: len(channel.got) == 2)
        assert member.pauses == [1.0, 1.0]


async def test_its_own_end_is_no_news() -> None:
    tasks = FakeTasks()
    async with holding(tasks) as (member, session, channel):

        def ended(_: Any) -> Finished:
            member.hear(news("COMPLETED"))
            return Finished(TaskState.COMPLETED)

        tasks.script("finish", ended)
        await session.finish("t1", DONE)
        await settle()
        assert channel.told == []


async def test_a_socket_that_could_not_be_told_to_the_store_is_none() -> None:
    servers = FakeServers(a_server("w1"))
    servers.script("connect", Unavailable("gone"))
    member = Member("gw_1", FakeTasks(), servers)
    with pytest.raises(Unavailable):
        async with member.sessions.open("w1", FakeChannel(), lease_ms=LEASE_MS):
            pass
    assert len(member.sessions) == 0
    await member.close()
