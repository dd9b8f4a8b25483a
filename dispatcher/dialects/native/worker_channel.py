"""What the gateway says to a worker on its socket."""

from collections.abc import Callable

from dispatcher.domain.grant import Grant
from dispatcher.service.channel import Control
from dispatcher.web.answer import encode_json
from dispatcher.web.event_stream import FLOOD, CloseSocket, Outbox, Parting

REPLACED = FLOOD  # 1008, policy violation: one socket for each worker
SERVICE_RESTART = 1012


class WorkerChannel:
    """Implements `Channel`. A reason to close is kept for `closed`, which the socket waits for."""

    def __init__(self, outbox: Outbox, wire: Callable[[Grant], bytes]) -> None:
        self._outbox = outbox
        self._wire = wire
        self._parting = Parting()
        self.closed = self._parting.closed

    async def assign(self, grant: Grant) -> None:
        text = f'{{"type":"task","task":{self._wire(grant).decode()}}}'  # spliced: the payload stays as it came
        try:
            await self._outbox.deliver(text)
        except CloseSocket as close:
            self._parting.end(close)
            raise

    async def control(self, action: Control, task_id: str, fence: int, reason: str) -> None:
        message = {"type": "control", "action": action.value, "taskId": task_id, "attempt": fence, "reason": reason}
        try:
            self._outbox.put(encode_json(message).decode())
        except CloseSocket as close:
            self._parting.end(close)

    async def replaced(self) -> None:
        self._parting.end(CloseSocket(REPLACED, "replaced"))

    async def going_away(self) -> None:
        self._parting.end(CloseSocket(SERVICE_RESTART, "gateway stops"))
