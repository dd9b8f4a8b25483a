"""The events of the cluster, made once for all sockets of this gateway, and not at all while there are none."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import structlog

from dispatcher.dialects.cluster import wire_events as wire
from dispatcher.dialects.cluster.fleet import Fleet
from dispatcher.dialects.cluster.options import ORIGIN, ClusterOptions
from dispatcher.domain.clock import Clock
from dispatcher.domain.errors import DispatchError, NotFound
from dispatcher.domain.event import FleetEvent
from dispatcher.domain.operation import OperationKind, OperationState
from dispatcher.domain.placement import PlacementStatus
from dispatcher.domain.principal import Owner, Principal, Role
from dispatcher.domain.transitions import TaskState
from dispatcher.service.placements import moves_of
from dispatcher.service.retry import Sleep
from dispatcher.service.services import Services

LOOK_S = 1.0
_ENDS = (TaskState.COMPLETED, TaskState.FAILED, TaskState.TIMEOUT)

Tell = Callable[[wire.Event], None]  # never raises


class Broadcast:
    """Tasks, models and rebalances are told as the fleet's stream tells of them; the status of workers and their GPUs
    is looked at each second."""

    def __init__(
        self,
        services: Services,
        fleet: Fleet,
        clock: Clock,
        options: ClusterOptions,
        *,
        pause: Sleep,
        log: Any = None,
    ) -> None:
        self._services = services
        self._fleet = fleet
        self._clock = clock
        self._options = options
        self._pause = pause
        self._log = log or structlog.get_logger("dispatcher.dialects")
        self._listeners: dict[Tell, Principal] = {}
        self._seen: Mapping[str, wire.Seen] | None = None
        self._jobs: list[asyncio.Task[None]] = []

    @asynccontextmanager
    async def listening(self, principal: Principal, tell: Tell) -> AsyncIterator[None]:
        """Have `tell` called with what this principal may see, for the length of the block."""
        if not self._listeners:
            self._seen = None
            self._jobs = [asyncio.create_task(self._follow()), asyncio.create_task(self._watch())]
        self._listeners[tell] = principal
        try:
            yield
        finally:
            del self._listeners[tell]
            if not self._listeners:
                jobs, self._jobs = self._jobs, []
                for job in jobs:
                    job.cancel()
                await asyncio.gather(*jobs, return_exceptions=True)

    async def _follow(self) -> None:
        with self._services.feed.follow() as events:
            while True:
                await self._guarded(self._retell(await events.get()))

    async def _watch(self) -> None:
        while True:
            await self._guarded(self._look())
            await self._pause(LOOK_S)

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        """One event that cannot be told must not silence the others."""
        try:
            await work
        except DispatchError as error:
            self._log.warning("event_not_told", error=error.message)
        except Exception:  # noqa: BLE001 - logged
            self._log.exception("unexpected", operation="events")

    def _tell(self, event: wire.Event) -> None:
        for tell, principal in self._listeners.items():
            if event.owner is None or principal.is_admin or principal.owner == event.owner:
                tell(event)

    async def _retell(self, event: FleetEvent) -> None:
        f = event.fields
        with suppress(NotFound):  # it is gone already
            if event.task_id is not None and f.get("origin") == ORIGIN and f.get("state") in _ENDS:
                await self._task_ended(event.task_id, Owner(f.get("tenant", ""), f.get("sub", "")))
            elif event.type == "model" and f.get("state") == PlacementStatus.LOADED:
                for placement in await self._services.placements.find([f["id"]], f["model"]):
                    self._tell(wire.model_loaded(placement, self._clock.now_ms()))
            elif event.type == "operation" and (f["kind"], f["state"]) == _STARTED:
                operation = await self._services.operations.get(f["id"])
                if moves := moves_of(operation):  # else it was over before it started
                    self._tell(wire.rebalance_started(operation, moves))

    async def _task_ended(self, task_id: str, owner: Owner) -> None:
        if any(one.is_admin or one.owner == owner for one in self._listeners.values()):
            reader = Principal(owner, frozenset({Role.CLIENT}))
            task, _ = await self._services.tasks.get(reader, task_id, origin=ORIGIN)
            if (told := wire.task_ended(task)) is not None:
                self._tell(told)

    async def _look(self) -> None:
        seen = {server.id: wire.look(server, word, self._options) for server, word in await self._fleet.all()}
        if self._seen is not None:
            for event in wire.changes(self._seen, seen, self._clock.now_ms()):
                self._tell(event)
        self._seen = seen


_STARTED = (OperationKind.REBALANCE.value, OperationState.RUNNING.value)
