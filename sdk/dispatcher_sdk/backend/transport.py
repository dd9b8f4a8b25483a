"""How work reaches a server: the one thing in which transports differ."""

from collections.abc import Mapping
from typing import Protocol

from dispatcher_sdk.backend.membership import Membership


class Transport(Protocol):
    """What a backend does differently when it is called, and when it fetches. In the order of the calls below."""

    async def open(self) -> Mapping[str, str] | None:
        """Be ready for work. The endpoints to register with, None when this server is never called."""
        ...

    async def work(self, membership: Membership) -> None:
        """Take work in, until cancelled."""
        ...

    async def drain(self) -> None:
        """Take no more work in; the gateway was told already."""
        ...

    async def abandon(self) -> None:
        """What runs still will not be waited for any longer."""
        ...

    async def close(self, grace: float) -> None:
        """Leave nothing open; what is on its way out has `grace` seconds. Also when nothing was opened."""
        ...
