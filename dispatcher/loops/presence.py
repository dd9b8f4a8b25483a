"""Tells the others that this gateway lives."""

from dispatcher.service.ports import Coordination, ServerStore


class Presence:
    """To be run each second: the sign of life lasts for three."""

    def __init__(self, coordination: Coordination, servers: ServerStore, *, gateway: str) -> None:
        self._coordination = coordination
        self._servers = servers
        self._gateway = gateway

    async def run_once(self) -> None:
        """Renew the sign, and re-read the registry when the answer tells of a newer epoch."""
        await self._coordination.presence(self._gateway)
        await self._servers.snapshot()

    async def leave(self) -> None:
        """Withdraw the sign; after the loops have stopped."""
        await self._coordination.leave(self._gateway)
