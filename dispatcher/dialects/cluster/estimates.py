"""How long things will take, from how long they took. Estimates, and nothing more."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from dispatcher.dialects.cluster.options import ORIGIN
from dispatcher.dialects.cluster.wire_models import load_ms
from dispatcher.dialects.cluster.wire_tasks import STATES
from dispatcher.domain.clock import Clock
from dispatcher.domain.lane import Demand, fits
from dispatcher.domain.operation import OperationKind, OperationState
from dispatcher.domain.server import Server
from dispatcher.domain.telemetry import Timeframe
from dispatcher.domain.transitions import TaskState
from dispatcher.service.services import Services

WAIT_MS = 15_000  # before any task has ended in the last hour
RESTART_MS = 30_000  # before any worker was restarted
RESTARTS = 5  # the last ones count
LOOKED_AT = 64  # operations
FRESH_S = 1.0


class Pace:
    """How the cluster works: `mean_ms` of the last hour's tasks (0: none), the workers that are there, and how many
    tasks wait."""

    def __init__(self, mean_ms: float, servers: Sequence[Server], queued: int) -> None:
        self.queued = queued
        self._mean_ms = mean_ms
        self._servers = servers
        self._slots: dict[Demand, tuple[int, int]] = {}

    def wait_ms(self, demand: Demand) -> float | None:
        """Until a task that is handed in now starts: those ahead of it, by what the slots that it may have get done.
        None where no worker can run it."""
        slots, free = self._slots_for(demand)
        if not slots:
            return None
        if not self._mean_ms:
            return 0.0 if free > self.queued else WAIT_MS
        return max(0, self.queued + 1 - free) * self._mean_ms / slots

    def _slots_for(self, demand: Demand) -> tuple[int, int]:
        """All of them, and those that are free."""
        if demand not in self._slots:
            able = [server for server in self._servers if fits(demand, server.offer)]
            slots = sum(server.max_concurrent for server in able)
            self._slots[demand] = slots, slots - sum(min(server.active, server.max_concurrent) for server in able)
        return self._slots[demand]


class Estimates:
    """Looks at the store at most once a second, whoever asks; what was handed in here since counts too."""

    def __init__(self, services: Services, clock: Clock) -> None:
        self._services = services
        self._clock = clock
        self._pace: Pace | None = None
        self._seen_at = 0.0

    async def wait_ms(self, demand: Demand, model: str) -> float:
        """Until a task that is handed in now starts. Where workers are there and none has the model (empty: none is
        asked for), it would have to be brought to one."""
        now = self._clock.monotonic()
        if self._pace is None or now - self._seen_at >= FRESH_S:
            self._pace, self._seen_at = await self._look(), now
        wait_ms = self._pace.wait_ms(demand)
        if wait_ms is not None:
            return wait_ms
        if not model or self._pace.wait_ms(replace(demand, capabilities=frozenset())) is None:
            return WAIT_MS
        return load_ms(model, await self._services.placements.sizes([model]))

    def submitted(self) -> None:
        """One more waits."""
        if self._pace is not None:
            self._pace.queued += 1

    async def restart_ms(self) -> float:
        """What the last restarts took."""
        done = [
            operation.ended_ms - operation.started_ms
            for operation in await self._services.operations.recent(LOOKED_AT)
            if operation.kind is OperationKind.RESTART
            and operation.state is OperationState.DONE
            and operation.ended_ms is not None
        ][:RESTARTS]
        return sum(done) / len(done) if done else RESTART_MS

    async def _look(self) -> Pace:
        services = self._services
        window, standing, servers = await asyncio.gather(
            services.telemetry.window(Timeframe.HOUR, ORIGIN), services.stats.standing(ORIGIN), services.servers.all()
        )
        return Pace(
            window.counts.average_ms,
            [server for server in servers if server.online and not server.maintenance],
            _count(standing[""], "queued"),
        )


def _count(states: dict[TaskState, int], word: str) -> int:
    return sum(states[state] for state in STATES[word])
