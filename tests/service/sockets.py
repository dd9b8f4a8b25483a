"""Gateways with sockets of workers, without a network."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from dispatcher.domain.clock import ManualClock
from dispatcher.domain.event import FleetEvent
from dispatcher.domain.grant import Grant
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
        self, member: Member | None = None, name: str = "w1", start: str = ""
    ) -> AsyncIterator[tuple[Session, FakeChannel]]:
        channel = FakeChannel()
        async with (member or self.one).sessions.open(name, channel, lease_ms=LEASE_MS, start=start) as session:
            yield session, channel


async def settle() -> None:
    for _ in range(30):
        await asyncio.sleep(0)


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
