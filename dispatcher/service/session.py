"""One worker's socket: the work it wants, and what it says of the work it has."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from dispatcher.domain.errors import Conflict, NotFound, Replaced
from dispatcher.domain.failure import Outcome, Verdict
from dispatcher.domain.grant import Grant
from dispatcher.domain.ids import is_id, new_claim_id
from dispatcher.domain.reporter import ByHolder
from dispatcher.domain.server import Server, ServerHealth
from dispatcher.domain.task import Task
from dispatcher.service.channel import Channel
from dispatcher.service.dispatch import Dispatch
from dispatcher.service.holdings import AGAIN_S, Holdings
from dispatcher.service.ports import ServerStore, TaskStore
from dispatcher.service.retry import OUTAGE, Sleep
from dispatcher.service.workers import Workers

FORGOTTEN = Outcome(Verdict.LOST, text="The worker has started anew")
CLAIM_MS = 60_000  # for one waiting claim; the next one follows
LOOKS = 5  # a second apart, for the connection of whoever registered the worker anew


@dataclass(frozen=True, slots=True)
class Ports:
    """What sessions work with."""

    tasks: TaskStore
    servers: ServerStore
    workers: Workers
    dispatch: Dispatch
    sleep: Sleep


class Session:
    """Made by `Sessions.open`. `on_hold` and `on_drop` are told which tasks the worker holds.

    Fetching and telling are two jobs that run side by side as long as the socket is open.
    """

    def __init__(
        self,
        session_id: str,
        server: Server,
        channel: Channel,
        ports: Ports,
        *,
        lease_ms: int,
        on_hold: Callable[["Session", str], None],
        on_drop: Callable[["Session", str], None],
    ) -> None:
        self.id = session_id
        self.left = False  # its worker said that it leaves for good
        self.server_id = server.id
        self._max_concurrent = server.max_concurrent
        self._channel = channel
        self._ports = ports
        self._lease_ms = lease_ms
        self._demand = 0
        self._asked = asyncio.Event()
        self._woken = asyncio.Event()
        self.holdings = Holdings(
            server.id,
            channel,
            ports.tasks,
            sleep=ports.sleep,
            on_hold=partial(on_hold, self),
            on_drop=partial(on_drop, self),
        )

    # ---- what its worker says

    def ask(self, n: int = 1) -> None:
        """The worker has room for `n` (>= 1) tasks more; together at most as many as it may run at once."""
        self._demand = min(self._demand + n, self._max_concurrent)
        self._asked.set()

    async def heartbeat(
        self,
        *,
        health: ServerHealth = ServerHealth.HEALTHY,
        active: int | None = None,
        metrics: str = "{}",
        boot_id: str | None = None,
        running: Sequence[str] | None = None,
    ) -> Server:
        """The worker lives, see `ServerStore.heartbeat`. Raises NotFound; Replaced once another connection counts."""
        server = await self._ports.servers.heartbeat(
            self.server_id,
            health=health,
            active=active,
            metrics=metrics,
            boot_id=boot_id,
            running=running,
            session=self.id,
        )
        self._max_concurrent = server.max_concurrent
        return server

    async def progress(
        self,
        task_id: str,
        percent: float,
        *,
        fence: int | None = None,
        metrics: bytes | None = None,
        checkpoint: str | None = None,
    ) -> Task:
        """Progress of an attempt (of the one it holds, without `fence`), which renews its lease.

        Raises as `TaskStore.progress`.
        """
        said: dict[str, Any] = {"metrics": metrics, "checkpoint": checkpoint}
        given = {name: value for name, value in said.items() if value is not None}
        by = ByHolder(self.server_id, fence)
        return await self._ports.tasks.progress(_id(task_id), by, percent, lease_ms=self._lease_ms, **given)

    async def finish(self, task_id: str, outcome: Outcome, *, fence: int | None = None) -> None:
        """Record the end of an attempt, free its slot, and look for the next task where one is wanted.

        Raises as `TaskStore.finish`.
        """
        task, _ = await self._ports.tasks.get(_id(task_id), result=False)
        if task is None:
            raise NotFound(f"Task not found: {task_id}")
        try:
            with self.holdings.ending(task_id, fence):
                await self._ports.dispatch.report(task, ByHolder(self.server_id, fence), outcome)
        finally:
            self._woken.set()

    async def let_go(self, task_id: str, fence: int) -> None:
        """The worker is done with an attempt of a task that was removed: free its slot."""
        await self._ports.tasks.free_slot(_id(task_id), self.server_id, fence)
        self._woken.set()

    async def has_only(self, task_ids: Collection[str]) -> None:
        """The worker knows of no other tasks than these: what else it was given is lost to it. Raises Unavailable."""
        for held, task in await self._ports.tasks.holding(self.server_id):
            if held.task_id in task_ids:
                continue
            if task is None or task.ended:
                await self.let_go(held.task_id, held.fence)
                continue
            with suppress(NotFound, Conflict):  # ended or taken away meanwhile
                await self.finish(held.task_id, FORGOTTEN, fence=held.fence)

    # ---- what it is told of

    async def check(self) -> None:
        """Another connection has opened: give way to it when it is the newer one."""
        if await self._newest() != self.id:
            await self.give_way()

    async def give_way(self) -> None:
        """Another connection of the worker counts. One of another start took over, for good; one of the same start is
        an older or newer try of the same program, which may connect again. A worker that was registered anew has none
        yet: it is waited for, for a moment."""
        newest = ""
        for _ in range(LOOKS):
            try:
                newest = await self._newest()
            except NotFound:
                break
            except OUTAGE:
                newest = ""
            if newest == self.id:
                return
            if newest:
                break
            await self._ports.sleep(AGAIN_S)
        if newest and not (start_of(newest) and start_of(newest) == start_of(self.id)):
            await self._channel.replaced()
        else:
            await self.leave()

    async def _newest(self) -> str:
        return (await self._ports.servers.get(self.server_id)).session

    async def leave(self) -> None:
        """This gateway stops."""
        await self._channel.going_away()

    # ---- fetching

    async def fetch(self) -> None:
        """Claim tasks while the worker wants some, and hand them down."""
        while True:
            await self._wanted()
            try:
                grant = await self._ports.workers.claim(
                    self.server_id, lease_ms=self._lease_ms, wait_ms=CLAIM_MS, session=self.id, woken=self._woken
                )
            except Replaced:
                return await self.give_way()
            except NotFound:
                return await self.leave()
            except OUTAGE:
                await self._ports.sleep(AGAIN_S)
                continue
            if grant is not None and not await self._hand_down(grant):
                return None

    async def _wanted(self) -> None:
        while not self._demand:
            self._asked.clear()
            await self._asked.wait()

    async def _hand_down(self, grant: Grant) -> bool:
        """False when the worker is not there to take it."""
        self._demand = max(0, self._demand - 1)
        try:
            async with self.holdings.handing_down(grant):
                await self._channel.assign(grant)
        except BaseException as error:
            self._ports.workers.give_back(grant)
            if not isinstance(error, Exception):
                raise
            await self.leave()  # or the socket would stay open, and be given nothing more
            return False
        return True


def new_session_id(start: str) -> str:
    return f"{new_claim_id()}@{start}"


def start_of(session_id: str) -> str:
    """What the worker's program calls the time since it was started; empty where it did not say."""
    return session_id.partition("@")[2]


def _id(task_id: str) -> str:
    if not is_id(task_id):
        raise NotFound(f"Task not found: {task_id[:80]}")
    return task_id
