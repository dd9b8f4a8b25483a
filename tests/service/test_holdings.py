"""What a worker on a socket is told of the tasks it holds."""

import asyncio
from typing import Any

from dispatcher.domain.errors import Unavailable
from dispatcher.domain.grant import Finished, Grant, Held
from dispatcher.domain.transitions import TaskState
from tests.service.fakes import (
    DONE,
    FakeServers,
    FakeTasks,
    a_grant,
    a_server,
    a_task,
    until,
)
from tests.service.sockets import LEASE_MS, FakeChannel, Member, holding, news, now, settle


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
