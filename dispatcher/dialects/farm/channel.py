"""How a session of the core speaks to one client."""

from collections import deque
from collections.abc import Awaitable, Callable

from dispatcher.dialects.farm.wire_messages import Master, control_message, task_message
from dispatcher.domain.clock import Clock
from dispatcher.domain.grant import Grant
from dispatcher.service.sessions import Control
from dispatcher.web.event_stream import CloseSocket, Outbox, Parting

GOING_AWAY = 1001
POLICY = 1008
REMEMBERED = 256

FindMaster = Callable[[Grant], Awaitable[Master | None]]


class FarmChannel:
    """Implements `Channel`. Remembers the tasks that it gave last, with their attempts; `closed` waits for a reason to
    close."""

    def __init__(self, outbox: Outbox, clock: Clock, find_master: FindMaster) -> None:
        self._outbox = outbox
        self._clock = clock
        self._find_master = find_master
        self._assigned: deque[tuple[str, int]] = deque(maxlen=REMEMBERED)
        self._parting = Parting()
        self.closed = self._parting.closed

    async def assign(self, grant: Grant) -> None:
        master = await self._find_master(grant)
        self._assigned.append((grant.task_id, grant.fence))
        try:
            await self._outbox.deliver(task_message(grant, master, self._clock.now_ms()))
        except CloseSocket as slow:
            self._parting.end(slow)
            raise

    async def control(self, action: Control, task_id: str, fence: int, reason: str) -> None:
        try:
            self._outbox.put(control_message(action, task_id, self._clock.now_ms()))
        except CloseSocket as slow:
            self._parting.end(slow)

    async def replaced(self) -> None:
        self._parting.end(CloseSocket(POLICY, "replaced"))

    async def going_away(self) -> None:
        self._parting.end(CloseSocket(GOING_AWAY, "Connect again"))

    def last_given(self, task_id: str) -> int | None:
        """The attempt with which a task was given; None for one that was not."""
        return next((fence for known, fence in reversed(self._assigned) if known == task_id), None)
