"""Is this gateway alive, and should it be sent traffic?"""

import asyncio
from collections.abc import Callable
from typing import Literal

from typing_extensions import TypedDict

from dispatcher.domain.clock import Clock
from dispatcher.domain.errors import Unavailable
from dispatcher.service.ports import Coordination

_FRESH_S = 1.0  # a public path must not become a way to load the store


class HealthReport(TypedDict):
    status: Literal["ok", "draining", "unavailable"]
    store: Literal["ok", "unreachable"]
    durability: dict[str, str]
    version: str
    gateway: str
    draining: bool


class Health:
    """Asks the store at most once a second, whoever asks."""

    def __init__(
        self,
        coordination: Coordination,
        clock: Clock,
        *,
        gateway: str,
        version: str,
        draining: Callable[[], bool] = lambda: False,
    ) -> None:
        self._coordination = coordination
        self._clock = clock
        self._gateway = gateway
        self._version = version
        self._draining = draining
        self._lock = asyncio.Lock()
        self._asked_at: float | None = None
        self._reachable = False
        self._durability: dict[str, str] = {}

    async def report(self) -> tuple[int, HealthReport]:
        """Status code and facts: 200, or 503 while the store is out of reach."""
        await self._ask()
        draining = self._draining()
        report = HealthReport(
            status="unavailable" if not self._reachable else "draining" if draining else "ok",
            store="ok" if self._reachable else "unreachable",
            durability=self._durability,
            version=self._version,
            gateway=self._gateway,
            draining=draining,
        )
        return (200 if self._reachable else 503), report

    async def ready(self) -> bool:
        """False while draining or while the store is out of reach: send no traffic."""
        if self._draining():
            return False
        await self._ask()
        return self._reachable

    async def _ask(self) -> None:
        async with self._lock:
            now = self._clock.monotonic()
            if self._asked_at is not None and now - self._asked_at < _FRESH_S:
                return
            try:
                await self._coordination.ping()
                if not self._durability:
                    self._durability = await self._coordination.durability()
                self._reachable = True
            except Unavailable:
                self._reachable = False
                self._durability = {}  # it may come back as another server
            self._asked_at = self._clock.monotonic()
