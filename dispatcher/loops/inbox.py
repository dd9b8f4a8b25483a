"""Messages from the store and from other gateways to this one."""

from collections.abc import Callable

from dispatcher.service.ports import Coordination
from dispatcher.service.waits import Waits


class Inbox:
    """`ended` ends waits, `wake` starts a peek. `cancel` asks nothing of us: an open call is read on, so that its
    slot is free the moment the server answers."""

    def __init__(self, coordination: Coordination, waits: Waits, *, gateway: str, wake: Callable[[], None]) -> None:
        self._coordination = coordination
        self._waits = waits
        self._gateway = gateway
        self._wake = wake

    async def run_once(self) -> None:
        """Read messages until cancelled, or until the stream fails."""
        async for message in self._coordination.inbox(self._gateway):
            match message.kind:
                case "ended":
                    self._waits.ended(message.task_id)
                case "wake":
                    self._wake()
