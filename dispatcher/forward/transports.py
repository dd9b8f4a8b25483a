"""The HTTP clients by name."""

from importlib.util import find_spec

from dispatcher.forward.policy import UrlPolicy
from dispatcher.forward.transport import Transport

TRANSPORTS = ("auto", "httpx", "aiohttp")


def transport_named(
    name: str, policy: UrlPolicy, *, max_connections: int = 1024, ca_file: str | None = None
) -> Transport:
    """Make the client `name`: "httpx" (its engine, httpcore), "aiohttp", or "auto", which is aiohttp when installed.

    `max_connections` must be above the number of calls that are open at once. Raises ValueError for another name,
    ImportError when aiohttp is asked for and missing, OSError when `ca_file` cannot be read.
    """
    if name == "auto":
        name = "aiohttp" if find_spec("aiohttp") else "httpx"
    if name == "httpx":
        from dispatcher.forward.httpcore_transport import HttpcoreTransport

        return HttpcoreTransport(policy, max_connections=max_connections, ca_file=ca_file)
    if name == "aiohttp":
        from dispatcher.forward.aiohttp_transport import AiohttpTransport

        return AiohttpTransport(policy, max_connections=max_connections, ca_file=ca_file)
    raise ValueError(f"unknown HTTP client {name!r}; known: {', '.join(TRANSPORTS)}")
