"""A world whose looks at the fleet happen when a test says so."""

import asyncio
from typing import Any

from dispatcher.dialects.cluster.cluster import cluster_dialect
from dispatcher.dialects.cluster.socket import SocketLimits
from dispatcher.web.gateway import gateway as web_gateway
from dispatcher.web.health import Health
from tests.dialects.cluster.world import World


class Pauses:
    """Waits of the program that a test lets pass."""

    def __init__(self) -> None:
        self._waiting: list[tuple[float, asyncio.Future[None]]] = []

    async def __call__(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((seconds, future))
        await future

    def release(self, least: float = 0.0, most: float = 3600.0) -> None:
        """End the waits that are so long."""
        for entry in [one for one in self._waiting if least <= one[0] <= most]:
            self._waiting.remove(entry)
            if not entry[1].done():
                entry[1].set_result(None)


class Watched(World):
    """A world whose looks at the fleet, and keeping of seats, happen when a test says so."""

    def __init__(self, limits: SocketLimits | None = None, **sections: Any) -> None:
        super().__init__(**sections)
        self.pauses = Pauses()
        made = self.dialect("required")
        dialect = cluster_dialect(
            self.services,
            made._gate,
            self.clock,
            health=Health(self.store.coordination, self.clock, gateway="gw_1", version="1"),
            pause=self.pauses,
            socket_limits=limits,
        )
        self.gateway.asgi = web_gateway({"/cluster": dialect.mount(), "": self.dialect_of("native")}, clock=self.clock)

    def dialect_of(self, name: str) -> Any:
        return self.gateway.dialects[name, "required"].mount()

    async def look(self) -> None:
        """The gateway looks at the fleet."""
        self.pauses.release(most=1.0)
        await self.settle()

    async def keep_seats(self) -> None:
        self.pauses.release(least=2.0)
        await self.settle()
