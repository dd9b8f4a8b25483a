"""Each duty, one round at a time."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from dispatcher.domain.clock import ManualClock
from dispatcher.domain.event import FleetEvent, InboxMessage
from dispatcher.domain.grant import Ticked, Waiting
from dispatcher.loops.events import Events
from dispatcher.loops.inbox import Inbox
from dispatcher.loops.peek import Peek
from dispatcher.loops.presence import Presence
from dispatcher.loops.renew import Renew
from dispatcher.loops.tick import Tick
from dispatcher.service.commands import Commands
from dispatcher.service.duties import Duties
from dispatcher.service.feed import Feed
from dispatcher.service.servers import Servers
from dispatcher.service.sessions import Sessions
from dispatcher.service.waits import Waits
from dispatcher.service.watch import Watch
from dispatcher.service.workers import Workers
from dispatcher.store.memory import MemoryStore
from tests.service.fakes import LANE, FakeStats, Gateway, Scripted, a_server, free, until


class FakeCoordination(Scripted):
    """Streams that end with an error, as one whose connection is lost."""

    def __init__(self, messages: list[InboxMessage] | None = None, events: list[FleetEvent] | None = None) -> None:
        super().__init__()
        self.messages, self.stream = messages or [], events or []

    async def presence(self, gateway: str) -> int:
        return await self._answer("presence", 7, gateway=gateway)

    async def leave(self, gateway: str) -> None:
        await self._answer("leave", None, gateway=gateway)

    async def inbox(self, gateway: str) -> AsyncIterator[InboxMessage]:
        for message in self.messages:
            yield message
        raise ConnectionResetError(gateway)

    async def events(self) -> AsyncIterator[FleetEvent]:
        for event in self.stream:
            yield event
        raise ConnectionResetError


def duties_of(gateway: Gateway) -> Duties:
    servers = Servers(gateway.servers, FakeStats(), gateway.forwarder)  # type: ignore[arg-type]
    return Duties(gateway.tasks, servers, gateway.dispatch, gateway="gw_1", clock=gateway.clock)


async def test_renewing_keeps_what_is_held_and_gives_up_what_is_lost() -> None:
    gateway = Gateway(a_server("a"))
    renew = Renew(gateway.tasks, gateway.dispatch, gateway="gw_1", lease_ms=15_000)
    await renew.run_once()
    assert gateway.tasks.asked("renew") == [], "nothing held, nothing asked"
    gateway.forwarder.gate = asyncio.Event()
    gateway.start("t1")
    gateway.start("t2")
    await until(lambda: gateway.forwarder.running == 2)
    lost = next(held for held in gateway.dispatch.held() if held.task_id == "t2")
    gateway.tasks.script("renew", frozenset({lost}))
    await renew.run_once()
    (asked,) = gateway.tasks.asked("renew")
    assert sorted(held.task_id for held in asked["held"]) == ["t1", "t2"]
    assert (asked["gateway"], asked["lease_ms"]) == ("gw_1", 15_000)
    await until(lambda: len(gateway.dispatch.held()) == 1)
    gateway.forwarder.gate.set()
    await gateway.settle()
    assert [task_id for task_id, _ in gateway.ends()] == ["t1"]


async def test_many_leases_are_renewed_in_batches() -> None:
    gateway = Gateway(a_server("a"))
    gateway.forwarder.gate = asyncio.Event()
    for n in range(300):
        gateway.start(f"t{n}")
    await until(lambda: gateway.forwarder.running == 300)
    await Renew(gateway.tasks, gateway.dispatch, gateway="gw_1", lease_ms=15_000).run_once()
    assert [len(call["held"]) for call in gateway.tasks.asked("renew")] == [256, 44]
    gateway.forwarder.gate.set()
    await gateway.settle()


async def test_a_tick_is_one_round_of_all_duties() -> None:
    gateway = Gateway(a_server("a"))
    gateway.tasks.script("tick", Ticked(1, False))
    gateway.tasks.script("peek", [Waiting("t1", LANE, 0, free("a"))])
    await Tick(duties_of(gateway)).run_once()
    await gateway.settle()
    assert [task_id for task_id, _ in gateway.ends()] == ["t1"]


async def test_a_wake_up_peeks_at_once_and_many_peek_once_more() -> None:
    gateway = Gateway(a_server("a"))
    peek = Peek(duties_of(gateway))
    round_ = asyncio.create_task(peek.run_once())
    await asyncio.sleep(0)
    assert gateway.tasks.asked("peek") == []
    peek.wake()
    await round_
    for _ in range(5):
        peek.wake()
    await peek.run_once()
    assert len(gateway.tasks.asked("peek")) == 2
    idle = asyncio.create_task(peek.run_once())
    for _ in range(20):
        await asyncio.sleep(0)
    assert not idle.done(), "all wake-ups are answered"
    idle.cancel()


async def test_presence_is_told_and_withdrawn() -> None:
    gateway, coordination = Gateway(), FakeCoordination()
    presence = Presence(coordination, gateway.servers, gateway="gw_1")  # type: ignore[arg-type]
    await presence.run_once()
    assert coordination.asked("presence") == [{"gateway": "gw_1"}]
    assert len(gateway.servers.asked("snapshot")) == 1, "a newer registry is read now"
    await presence.leave()
    assert coordination.asked("leave") == [{"gateway": "gw_1"}]


async def test_the_inbox_ends_waits_and_wakes() -> None:
    waits, woken = Waits(), []
    messages = [InboxMessage("wake"), InboxMessage("cancel", "t2"), InboxMessage("ended", "t1"), InboxMessage("news")]
    coordination: Any = FakeCoordination(messages)
    with waits.expected("t1") as ended, waits.expected("t2") as cancelled:
        inbox = Inbox(coordination, waits, gateway="gw_1", wake=lambda: woken.append(1))
        with pytest.raises(ConnectionResetError):
            await inbox.run_once()
        assert ended.done()
        assert not cancelled.done()
    assert woken == [1]


async def test_events_reach_watchers_and_a_lost_stream_marks_them() -> None:
    gateway = Gateway()
    watch = Watch(gateway.tasks)
    workers = Workers(gateway.tasks, gateway.servers, gateway="gw_1", clock=ManualClock())
    told: list[FleetEvent] = []
    workers.publish = told.append  # type: ignore[method-assign]
    sessions = Sessions(gateway.tasks, gateway.servers, workers, gateway.dispatch, gateway="gw_1")
    sessions.publish = told.append  # type: ignore[method-assign]
    commands = Commands(MemoryStore(ManualClock()).commands)
    commands.publish = told.append  # type: ignore[method-assign]
    subscription = watch.subscribe()
    subscription.add("t1")
    coordination: Any = FakeCoordination(events=[FleetEvent("1", "task", {"id": "t1"})])
    waiting = asyncio.create_task(subscription.next())
    await asyncio.sleep(0)
    feed = Feed()
    with feed.follow() as followed, pytest.raises(ConnectionResetError):
        await Events(coordination, watch, workers, sessions, commands, feed).run_once()
    await waiting
    assert [event.id for event in [*told, followed.get_nowait()]] == ["1", "1", "1", "1"]
    assert subscription.lagged
