"""The default client: httpcore, the engine below httpx.

Used without httpx around it, because the URL policy belongs into its (public) network backend, and because it knows
no redirects, cookies, proxies of the environment or decompression that would have to be switched off.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping

import httpcore

from dispatcher.forward.policy import UrlPolicy
from dispatcher.forward.pool import ConnectionPool, Origin
from dispatcher.forward.transport import (
    CONNECT_S,
    KEEPALIVE_S,
    BrokenAfterSending,
    NotSent,
    Reply,
    TimedOut,
    TooLarge,
    keepalive_options,
    tls_context,
)
from dispatcher.forward.url import parse_url

_BEFORE_SENDING = (
    httpcore.ConnectError,
    httpcore.ConnectTimeout,
    httpcore.LocalProtocolError,
)
_BROKEN = (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException)


class _Stream(httpcore.AsyncNetworkStream):
    """A TCP stream that is closed also when the call is cancelled during the TLS handshake (httpcore leaves it)."""

    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner
        self.read = inner.read  # type: ignore[method-assign]
        self.write = inner.write  # type: ignore[method-assign]
        self.aclose = inner.aclose  # type: ignore[method-assign]
        self.get_extra_info = inner.get_extra_info  # type: ignore[method-assign]

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        try:
            return await self._inner.start_tls(ssl_context, server_hostname, timeout)
        except asyncio.CancelledError:
            await self._inner.aclose()
            raise


class _CheckedBackend(httpcore.AsyncNetworkBackend):
    """Connects only to addresses that the policy allowed, by their number: no second look-up can change them."""

    def __init__(self, policy: UrlPolicy) -> None:
        self._policy = policy
        self._tcp = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        failure: Exception | None = None
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._policy.addresses(host, port)
                share = None if timeout is None else timeout / len(addresses)
                for address in addresses:
                    try:
                        return _Stream(await self._tcp.connect_tcp(address, port, share, local_address, socket_options))
                    except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                        failure = error
        except TimeoutError:
            failure = httpcore.ConnectTimeout()
        raise failure or httpcore.ConnectError()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _Body(AsyncIterator[bytes]):
    """A request body that remembers whether it was asked for: by then the head of the request is out."""

    def __init__(self, content: bytes) -> None:
        self._content: bytes | None = content
        self.started = False

    async def __anext__(self) -> bytes:
        self.started = True
        content, self._content = self._content, None
        if content is None:
            raise StopAsyncIteration
        return content


class HttpcoreTransport:
    """At most `max_connections` calls at once; further ones wait, within their time-out."""

    def __init__(self, policy: UrlPolicy, *, max_connections: int = 1024, ca_file: str | None = None) -> None:
        self._tls = tls_context(ca_file)
        self._backend = _CheckedBackend(policy)
        self._pool = ConnectionPool(self._connect, max_connections)

    def _connect(self, origin: Origin) -> httpcore.AsyncHTTPConnection:
        scheme, host, port = origin
        return httpcore.AsyncHTTPConnection(
            origin=httpcore.Origin(scheme.encode(), host.encode(), port),
            ssl_context=self._tls,
            keepalive_expiry=KEEPALIVE_S,
            network_backend=self._backend,
            socket_options=keepalive_options(),
        )

    async def request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, *, timeout_s: float, max_bytes: int
    ) -> Reply:
        target = parse_url(url)
        head = [(b"Host", target.authority.encode()), (b"Content-Length", str(len(body)).encode())]
        head += [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        content = _Body(body)
        request = httpcore.Request(
            method,
            httpcore.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.target),
            headers=head,
            content=content,
            extensions={"timeout": {"connect": min(CONNECT_S, timeout_s)}},
        )
        try:
            async with asyncio.timeout(timeout_s), self._pool.connection(target.origin) as connection:
                response = await connection.handle_async_request(request)
                try:
                    return await _read(response, max_bytes)
                finally:
                    await response.aclose()
        except _BEFORE_SENDING as error:
            raise NotSent("the server cannot be reached") from error
        except TimeoutError:
            if not content.started:
                raise NotSent("the server cannot be reached in time") from None
            raise TimedOut("no answer in time") from None
        except _BROKEN as error:
            if not content.started:
                raise NotSent("the connection broke before the request was sent") from error
            raise BrokenAfterSending("the connection broke before the answer was complete") from error

    async def aclose(self) -> None:
        await self._pool.aclose()


async def _read(response: httpcore.Response, max_bytes: int) -> Reply:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length) > max_bytes:  # h11 has checked that these are few ASCII digits
        raise TooLarge(response.status, headers)
    parts = bytearray()
    async for part in response.aiter_stream():
        parts += part
        if len(parts) > max_bytes:
            raise TooLarge(response.status, headers)
    return Reply(response.status, headers, bytes(parts))
