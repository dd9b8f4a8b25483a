"""HTTP for the executor: no proxy from the environment, no redirects, answers of bounded size, bounded waits."""

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import httpcore

from dispatcher.executor.errors import Unreachable

CONNECT_S = 10.0
_BROKEN = (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol)


@dataclass(frozen=True, slots=True)
class Reply:
    """Header names are lower case. `chunks` is the body as it comes, once; it raises Unreachable when it breaks."""

    status: int
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]

    async def body(self, most: int) -> bytes:
        """All of it. Raises Unreachable when it breaks, ValueError for more than `most` bytes."""
        found = bytearray()
        async for chunk in self.chunks:
            found += chunk
            if len(found) > most:
                raise ValueError(f"an answer of more than {most} bytes")
        return bytes(found)


class Http:
    """A pool of connections. `read_s` below is the longest silence of the other side, not the length of an answer."""

    def __init__(self, connections: int, tls: ssl.SSLContext | None = None) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls or ssl.create_default_context(), max_connections=connections
        )

    @asynccontextmanager
    async def open(
        self, method: str, url: str, headers: Mapping[str, str], *, body: bytes = b"", read_s: float = 30.0
    ) -> AsyncIterator[Reply]:
        """The answer, once its headers are there. Raises Unreachable, ValueError for what is no http(s) URL."""
        sent = {
            "Host": urlsplit(url).netloc,
            "User-Agent": "edge-dispatcher-executor",
            "Accept-Encoding": "identity",
            **headers,
        }
        timeouts = {"connect": CONNECT_S, "pool": CONNECT_S, "write": read_s, "read": read_s}
        request = httpcore.Request(
            method, url, headers=list(sent.items()), content=body or None, extensions={"timeout": timeouts}
        )
        try:
            answer = await self._pool.handle_async_request(request)
        except _BROKEN as error:
            raise Unreachable(type(error).__name__) from None
        try:
            fields = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in answer.headers}
            yield Reply(answer.status, fields, _chunks(answer))
        finally:
            with suppress(*_BROKEN):
                await answer.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._pool.aclose()


async def _chunks(answer: httpcore.Response) -> AsyncIterator[bytes]:
    try:
        async for chunk in answer.aiter_stream():
            yield chunk
    except _BROKEN as error:
        raise Unreachable(type(error).__name__) from None
