"""How long things will take, from how long they took. Estimates, and nothing more."""

import asyncio
from dataclasses import dataclass

from dispatcher.dialects.cluster.options import ORIGIN
from dispatcher.dialects.cluster.wire_tasks import STATES
from dispatcher.domain.clock import Clock
from dispatcher.domain.operation import OperationKind, OperationState
from dispatcher.domain.telemetry import Timeframe
from dispatcher.domain.transitions import TaskState
from dispatcher.service.services import Services

WAIT_MS = 15_000  # before any task has ended in the last hour
RESTART_MS = 30_000  # before any worker was restarted
RESTARTS = 5  # the last ones count
LOOKED_AT = 64  # operations
FRESH_S = 1.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How the cluster works: `mean_ms` of the last hour's tasks (0: none), slots of the workers that are there, tasks
    that wait and that run."""

    mean_ms: float
    slots: int
    queued: int
    running: int

    def wait_ms(self) -> float:
        """Until a task that is handed in now starts: those ahead of it, by what the slots get done."""
        if not self.slots or not self.mean_ms:
            return 0.0 if self.slots > self.queued + self.running else WAIT_MS
        ahead = self.queued + self.running + 1 - self.slots
        return max(0, ahead) * self.mean_ms / self.slots


class Estimates:
    """Looks at the store at most once a second, whoever asks."""

    def __init__(self, services: Services, clock: Clock, kind: str) -> None:
        self._services = services
        self._clock = clock
        self._kind = kind
        self._pace: Pace | None = None
        self._seen_at = 0.0

    async def wait_ms(self) -> float:
        """Until a task that is handed in now starts."""
        now = self._clock.monotonic()
        if self._pace is None or now - self._seen_at >= FRESH_S:
            self._pace, self._seen_at = await self._look(), now
        return self._pace.wait_ms()

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
        able = [
            server
            for server in servers
            if server.online and not (server.maintenance or server.offer.only) and self._kind in server.offer.kinds
        ]
        return Pace(
            mean_ms=window.counts.average_ms,
            slots=sum(server.max_concurrent for server in able),
            queued=_count(standing[""], "queued"),
            running=_count(standing[""], "running"),
        )


def _count(states: dict[TaskState, int], word: str) -> int:
    return sum(states[state] for state in STATES[word])
