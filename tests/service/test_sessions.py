"""Sockets of workers: demand, delivery, one connection for each worker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from dispatcher.domain.clock import ManualClock
from dispatcher.domain.errors import AlreadyEnded, Forbidden, NotFound, Replaced, StaleAttempt, Unavailable
from dispatcher.domain.event import FleetEvent
from dispatcher.domain.failure import Outcome, Verdict
from dispatcher.domain.server import ServerHealth
from dispatcher.domain.transitions import TaskState
from dispatcher.service.workers import Workers
from tests.service.fakes import (
    DONE,
    FakeServers,
    FakeTasks,
    a_server,
    until,
)
from tests.service.sockets import LEASE_MS, FakeChannel, Member, World, holding, now, settle


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
        await session.finish("t1", DONE, fence=1)
        await until(lambda: [grant.task_id for grant in channel.got] == ["t1", "t2"])
        assert not channel.told


async def test_an_end_is_recorded_with_one_look_at_the_task() -> None:
    tasks = FakeTasks()
    async with holding(tasks) as (_, session, _):
        await settle()
        now(tasks, TaskState.PROCESSING)
        before = len(tasks.asked("get"))
        await session.finish("t1", DONE, fence=1)
        assert len(tasks.asked("get")) == before + 1


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


async def test_a_connection_of_the_same_start_may_come_back_and_one_of_another_may_not(world: World) -> None:
    """The newest that the store knows may be an older one of the same program, which gave it up half-way."""
    async with world.socket(start="b1") as (_, first), world.socket(world.two, start="b1") as (_, second):
        await until(lambda: first.heard == ["going away"])
        async with world.socket(start="b2"):
            await until(lambda: second.heard == ["replaced"])


@pytest.mark.parametrize("another", [True, False])
async def test_one_that_was_registered_anew_waits_for_who_connects(world: World, another: bool) -> None:
    async with world.socket(start="b1") as (session, channel):
        await world.worker()
        with pytest.raises(Replaced):
            await world.store.servers.heartbeat(
                "w1", health=ServerHealth.HEALTHY, active=0, metrics="", session=session.id
            )
        if another:
            async with world.socket(world.two, start="b2"):
                await session.give_way()
        else:
            session.ask()
            await until(lambda: channel.heard != [])
        assert channel.heard[0] == ("replaced" if another else "going away")


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


@pytest.mark.parametrize("broken", ["claim_next", "holding"])
async def test_a_socket_that_cannot_be_worked_on_any_more_is_closed(broken: str) -> None:
    tasks = FakeTasks()
    tasks.script(broken, RuntimeError("a fault"))
    member, channel = Member("gw_1", tasks, FakeServers(a_server("w1"))), FakeChannel()
    async with member.sessions.open("w1", channel, lease_ms=LEASE_MS) as session:
        session.ask()
        await until(lambda: channel.heard == ["going away"])
    await member.close()


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


async def test_a_socket_that_could_not_be_told_to_the_store_is_none() -> None:
    servers = FakeServers(a_server("w1"))
    servers.script("connect", Unavailable("gone"))
    member = Member("gw_1", FakeTasks(), servers)
    with pytest.raises(Unavailable):
        async with member.sessions.open("w1", FakeChannel(), lease_ms=LEASE_MS):
            pass
    assert len(member.sessions) == 0
    await member.close()
