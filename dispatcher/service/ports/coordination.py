"""What gateways share."""

from collections.abc import AsyncIterator
from typing import Protocol

from dispatcher.domain.errors import RateState
from dispatcher.domain.event import FleetEvent, InboxMessage
from dispatcher.service.ports.requests import RateRule


class Coordination(Protocol):
    """What gateways tell each other, and the limits they share."""

    async def limit(self, *rules: RateRule) -> RateState:
        """Count one call under all of these rules (at least one), or under none where one is used up. Answers where the
        caller stands in the tightest. Raises RateLimited, for the rule that holds longest."""
        ...

    async def take_seat(self, holder: str, seat: str, *, most: int, lives_ms: int) -> bool:
        """Take or keep one of the `most` seats that a holder may have over all gateways, for `lives_ms`; False when
        they are taken. With `lives_ms` 0 it is given back."""
        ...

    async def presence(self, gateway: str) -> int:
        """This gateway lives (3 s); answers the registry epoch."""
        ...

    async def leave(self, gateway: str) -> None: ...

    def inbox(self, gateway: str) -> AsyncIterator[InboxMessage]:
        """Messages to this gateway, from now on, until cancelled. Survives a lost connection."""
        ...

    def events(self) -> AsyncIterator[FleetEvent]:
        """The fleet's stream from now on, until cancelled."""
        ...

    async def ping(self) -> None:
        """Raises Unavailable when the store cannot be reached within a second."""
        ...

    async def durability(self) -> dict[str, str]:
        """`appendonly`, `appendfsync`, `maxmemory-policy`, `engine`, `version` as far as the store tells."""
        ...
