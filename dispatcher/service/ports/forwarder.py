"""Calls to GPU servers."""

from typing import Protocol

from dispatcher.domain.failure import Accepted, Outcome
from dispatcher.domain.grant import Grant
from dispatcher.domain.server import Server


class Forwarder(Protocol):
    async def predict(self, grant: Grant, server: Server, *, remaining_ms: int) -> Outcome | Accepted:
        """Call the server's predict endpoint and judge the answer by the failure table. Never raises but
        CancelledError."""
        ...

    async def cancel(self, server: Server, task_id: str, fence: int) -> bool:
        """Ask `endpoints.cancel` to stop an attempt; True for a 2xx."""
        ...

    async def probe(self, server: Server) -> bool:
        """True when `endpoints.health` answers 2xx within 2 s."""
        ...
