"""Workers that hold a socket to this gateway.

The gateway claims on a worker's behalf and then writes: a task is started before its worker hears of it, so nothing is
offered and nothing has to be taken back when an offer is not answered.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from dispatcher.domain.errors import DispatchError, NotFound, Unavailable
from dispatcher.domain.event import FleetEvent
from dispatcher.domain.ids import is_id
from dispatcher.domain.transitions import TaskState
from dispatcher.service.background import Background, end_all
from dispatcher.service.channel import Channel, Control
from dispatcher.service.dispatch import Dispatch
from dispatcher.service.ports import ServerStore, TaskStore
from dispatcher.service.retry import OUTAGE, Sleep
from dispatcher.service.session import Ports, Session, new_session_id
from dispatcher.service.workers import Workers

__all__ = ["Channel", "Control", "Session", "Sessions"]

FAREWELL_S = 1.0
REMEMBERED = 1024
_AT_WORK = frozenset({TaskState.PENDING, TaskState.PROCESSING, TaskState.SCHEDULED})


class Sessions:
    """The open sockets of workers, one for each worker: the newest, on whatever gateway it is."""

    def __init__(
        self,
        tasks: TaskStore,
        servers: ServerStore,
        workers: Workers,
        dispatch: Dispatch,
        *,
        gateway: str,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._ports = Ports(tasks, servers, workers, dispatch, sleep)
        self._gateway = gateway
        self._by_server: dict[str, Session] = {}
        self._open: set[Session] = set()
        self._holders: dict[str, set[Session]] = {}  # by task
        self._recent: dict[str, None] = {}  # tasks stopped lately: a claim's answer may come after the news of that
        self._background = Background()
        self._draining = False

    @asynccontextmanager
    async def open(self, server_id: str, channel: Channel, *, lease_ms: int, start: str = "") -> AsyncIterator[Session]:
        """Serve a worker's socket for the length of the block; an older one of the same worker gives way. `start` is
        what the worker's program calls the time since it was started: it is not told that it was replaced by itself.

        Raises NotFound for a worker that is not registered, Unavailable while this gateway stops.
        """
        if not is_id(server_id):
            raise NotFound(f"Server not found: {server_id[:80]}")
        if self._draining:
            raise Unavailable("This gateway is shutting down")
        session = await self._connect(server_id, channel, lease_ms, start)
        works = (session.fetch, session.holdings.follow)
        jobs = [self._background.spawn(self._keep_open(session, work)) for work in works]
        try:
            yield session
        finally:
            for job in jobs:
                job.cancel()
            self._close(session)
            await end_all(jobs)

    def publish(self, event: FleetEvent) -> None:
        """A change of the fleet: of a task that one of the workers holds, or a worker that has connected anew."""
        if event.type == "server.connected":
            session = self._by_server.get(event.fields.get("id", ""))
            if session is not None and session.id != event.fields.get("session"):
                self._background.spawn(self._check(session))
        elif (task_id := event.task_id) is not None:
            self._changed(task_id, event.fields.get("state", ""))

    def interrupted(self) -> None:
        """The stream had a gap: everybody must look for themselves."""
        for session in self._open:
            session.holdings.lag()

    async def drain(self) -> None:
        """Have all workers go to another gateway, and take no new ones."""
        self._draining = True
        for session in self._open:
            self._background.spawn(session.leave())
        await self._background.wait(FAREWELL_S)  # their jobs end as their sockets do

    def __len__(self) -> int:
        """How many sockets are open."""
        return len(self._open)

    @staticmethod
    async def _keep_open(session: Session, work: Callable[[], Awaitable[None]]) -> None:
        """The socket stays open only as long as it is worked on: else its worker would wait for nothing."""
        try:
            await work()
        except Exception:
            await session.leave()
            raise

    async def _connect(self, server_id: str, channel: Channel, lease_ms: int, start: str) -> Session:
        server = await self._ports.servers.get(server_id)
        session = Session(
            new_session_id(start),
            server,
            channel,
            self._ports,
            lease_ms=lease_ms,
            on_hold=self._hold,
            on_drop=self._drop,
        )
        older = self._by_server.get(server_id)
        self._by_server[server_id] = session  # before the store knows: a still newer one is not missed
        self._open.add(session)
        try:
            await self._ports.servers.connect(server_id, session.id, self._gateway)
        except BaseException:
            self._forget(session)
            raise
        if older is not None:
            self._background.spawn(older.give_way())
        return session

    def _close(self, session: Session) -> None:
        session.holdings.clear()
        self._forget(session)
        self._background.spawn(self._disconnect(session))

    def _forget(self, session: Session) -> None:
        self._open.discard(session)
        if self._by_server.get(session.server_id) is session:
            del self._by_server[session.server_id]

    async def _disconnect(self, session: Session) -> None:
        with suppress(DispatchError, *OUTAGE):  # a dead session's claims are refused as soon as there is a new one
            await self._ports.servers.disconnect(session.server_id, session.id, left=session.left)

    async def _check(self, session: Session) -> None:
        try:
            await session.check()
        except NotFound:
            await session.leave()
        except OUTAGE:
            return  # its next claim will tell

    def _changed(self, task_id: str, state: str) -> None:
        holders = self._holders.get(task_id, ())
        for session in holders:
            session.holdings.changed(task_id, state)
        if not holders and state not in _AT_WORK:
            self._recent[task_id] = None
            if len(self._recent) > REMEMBERED:
                del self._recent[next(iter(self._recent))]

    def _hold(self, session: Session, task_id: str) -> None:
        self._holders.setdefault(task_id, set()).add(session)
        if task_id in self._recent:
            del self._recent[task_id]
            session.holdings.changed(task_id, "")

    def _drop(self, session: Session, task_id: str) -> None:
        holders = self._holders.get(task_id, set())
        holders.discard(session)
        if not holders:
            self._holders.pop(task_id, None)
