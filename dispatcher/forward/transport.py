"""What the forwarder needs from an HTTP client, and how a call can break.

CallFailed
|- NotSent            the server cannot have seen the request
|- BrokenAfterSending the connection broke, so nobody knows what the server did
|- TimedOut           no whole answer in time; the server may still be working
`- TooLarge           the answer is larger than it may be; `status` and `headers` are known
"""

import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

CONNECT_S = 5.0  # for DNS, TCP and TLS together; a shorter time-out of the call wins
KEEPALIVE_S = 4.0  # below the 5 s after which common servers drop an idle connection, so that we close first


class CallFailed(Exception):
    """There is no answer to judge. The text is for people and names no address."""


class NotSent(CallFailed):
    pass


class BrokenAfterSending(CallFailed):
    pass


class TimedOut(CallFailed):
    pass


class TooLarge(CallFailed):
    def __init__(self, status: int, headers: Mapping[str, str]) -> None:
        super().__init__("the answer is too large")
        self.status = status
        self.headers = headers


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete answer. Header names are lower case; the body is as it came over the wire, never inflated."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport(Protocol):
    """One HTTP request without redirects, cookies, proxies or decompression, through the URL policy."""

    async def request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, *, timeout_s: float, max_bytes: int
    ) -> Reply:
        """Send and read the whole answer within `timeout_s`. Raises CallFailed, ValueError for a malformed `url`."""
        ...

    async def aclose(self) -> None: ...


def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Certificates are always verified, against the system's authorities and those in `ca_file` (PEM)."""
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    return context


def keepalive_options() -> list[tuple[int, int, int]]:
    """Socket options that find a dead peer in about 30 s, long before the time-out of a task."""
    options = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    for name, seconds in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, name):  # not on every platform
            options.append((socket.IPPROTO_TCP, getattr(socket, name), seconds))
    return options
