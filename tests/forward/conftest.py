from collections.abc import AsyncIterator, Callable

import pytest

from dispatcher.forward import UrlPolicy, transport_named
from dispatcher.forward.transport import Transport

MakeTransport = Callable[..., Transport]
LOOPBACK = UrlPolicy(allow_loopback=True)


@pytest.fixture(params=["httpx", "aiohttp"])
async def make_transport(request: pytest.FixtureRequest) -> AsyncIterator[MakeTransport]:
    """Makes a client of each kind, by default one that may call loopback."""
    made: list[Transport] = []

    def make(policy: UrlPolicy = LOOPBACK, **options: object) -> Transport:
        made.append(transport_named(request.param, policy, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for transport in made:
        await transport.aclose()
