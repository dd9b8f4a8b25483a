"""How a session of the core speaks to one client."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from dispatcher.dialects.farm.wire_messages import Master, control_message, task_message
from dispatcher.domain.clock import Clock
from dispatcher.domain.grant import Grant
from dispatcher.service.sessions import Control
from dispatcher.web.event_stream import CloseSocket, Outbox

GOING_AWAY = 1001
POLICY = 1008
REMEMBERED = 256

FindMaster = Callable[[Grant], Awaitable[Master | None]]


class FarmChannel:
    """Remembers the tasks that this connection was given last, with their attempts."""

    def __init__(self, outbox: Outbox, clock: Clock, find_master: FindMaster) -> None:
        self._outbox = outbox
        self._clock = clock
        self._find_master = find_master
        self._assigned: deque[tuple[str, int]] = deque(maxlen=REMEMBERED)
        self._closing: asyncio.Future[CloseSocket] = asyncio.get_running_loop().create_future()

    async def assign(self, grant: Grant) -> None:
        master = await self._find_master(grant)
        self._assigned.append((grant.task_id, grant.fence))
        self._put(task_message(grant, master, self._clock.now_ms()))
        await self._outbox.written()

    async def control(self, action: Control, task_id: str, fence: int, reason: str) -> None:
        self._put(control_message(action, task_id, self._clock.now_ms()))

    async def replaced(self) -> None:
        self._close(CloseSocket(POLICY, "replaced"))

    async def going_away(self) -> None:
        self._close(CloseSocket(GOING_AWAY, "The gateway is shutting down"))

    async def closed(self) -> None:
        """Wait until the session wants the connection closed. Raises CloseSocket then."""
        raise await self._closing

    def last_given(self, task_id: str) -> int | None:
        """The attempt with which a task was given; None for one that was not."""
        return next((fence for known, fence in reversed(self._assigned) if known == task_id), None)

    def _put(self, text: str) -> None:
        try:
            self._outbox.put(text)
        except CloseSocket as slow:
            self._close(slow)

    def _close(self, close: CloseSocket) -> None:
        if not self._closing.done():
            self._closing.set_result(close)
