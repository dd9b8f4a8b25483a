"""Gangs on the sockets of two gateways: how ranks reach their workers, and what these are told of each other."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from dispatcher.domain.lane import Demand
from dispatcher.domain.transitions import TaskState
from tests.service.fakes import OWNER, FakeServers, FakeTasks, a_grant, a_new_task, a_server, until
from tests.service.sockets import LEASE_MS, FakeChannel, Member, World, now, settle


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    for member in made.members:
        await made.store.coordination.presence(member.workers._gateway)
    running = asyncio.create_task(made.run())
    for name in ("w1", "w2"):
        await made.worker(name, max_concurrent=1)
    await made.store.tasks.create(replace(a_new_task(), demand=Demand(gang=2)), gateway="gw_1")
    yield made
    for member in made.members:
        await member.close()
    running.cancel()


async def test_a_rank_is_handed_to_the_worker_of_another_gateway_which_is_told_of_it_all(world: World) -> None:
    async with world.socket(world.one, "w1") as (first, one), world.socket(world.two, "w2") as (second, two):
        first.ask()
        await settle()
        second.ask()
        await until(lambda: len(one.got) == len(two.got) == 1)
        assert sorted(grant.rank for channel in (one, two) for grant in channel.got) == [0, 1]
        await world.store.tasks.pause("t1", origin="native", owner=OWNER)
        await until(lambda: one.told == two.told == [("pause", "t1", 1)])
        await world.store.tasks.resume("t1", origin="native", owner=OWNER)
        await until(lambda: one.told[1:] == two.told[1:] == [("resume", "t1", 1)])
        await world.store.tasks.cancel("t1", origin="native", owner=OWNER)
        await until(lambda: one.told[2:] == two.told[2:] == [("stop", "t1", 1)])


@pytest.mark.parametrize("broken", ["first", "second"])
async def test_a_rank_that_could_not_be_written_sends_the_gang_back_unharmed(world: World, broken: str) -> None:
    """The first to ask is handed its rank by the claim of the second."""
    async with world.socket(world.one, "w1") as (first, one), world.socket(world.two, "w2") as (second, two):
        bad, good = (one, two) if broken == "first" else (two, one)
        bad.broken = ConnectionResetError()
        first.ask()
        await settle()
        second.ask()
        await until(lambda: bad.heard == ["going away"] and good.told in ([], [("stop", "t1", 1)]))
        await until(lambda: world.store.tasks._s.tasks["t1"].state is TaskState.PENDING)
        await settle()
        assert len(good.got) == len(good.told), "who was given it is told to stop"
    task = await world.state()
    assert (task.losses, task.failures, [a.status.value for a in task.attempts]) == (0, 0, ["released"])


async def test_what_befell_a_gang_before_its_rank_came_is_told_after_it() -> None:
    """Another rank on this gateway has it, so the news of it were not for later."""
    tasks = FakeTasks()
    member = Member("gw_1", tasks, FakeServers(a_server("w1"), a_server("w2")))
    early, late = FakeChannel(), FakeChannel()
    now(tasks, TaskState.PROCESSING)
    tasks.script("claim_next", a_grant("t1", gang=2))
    async with (
        member.sessions.open("w1", early, lease_ms=LEASE_MS) as zero,
        member.sessions.open("w2", late, lease_ms=LEASE_MS) as one,
    ):
        zero.ask()
        await until(lambda: len(early.got) == 1)
        await settle()
        now(tasks, TaskState.PENDING, attempt_lives=False)  # and its news come before the claim's answer
        tasks.script("claim_next", a_grant("t1", "w2", gang=2, rank=1))
        one.ask()
        await until(lambda: late.heard == ["task t1", "stop t1: The task is PENDING"])
    await member.close()
