"""The fast client: aiohttp, from the extra `fast`. The same behaviour as the default one, held by the same tests."""

import asyncio
import ipaddress
import socket
from collections.abc import Mapping
from types import SimpleNamespace

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from dispatcher.forward.policy import UrlPolicy
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

_BEFORE_SENDING = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)


class _CheckedResolver(AbstractResolver):
    def __init__(self, policy: UrlPolicy) -> None:
        self._policy = policy

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=address, port=port, family=_family(address), proto=0, flags=0)
            for address in await self._policy.addresses(host, port)
        ]

    async def close(self) -> None:
        pass


def _family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _socket(info: aiohttp.AddrInfoType) -> socket.socket:
    sock = socket.socket(info[0], info[1], info[2])
    for option in keepalive_options():
        sock.setsockopt(*option)
    return sock


class _Phase(SimpleNamespace):
    connected: bool = False


async def _connected(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
    context.trace_request_ctx.connected = True


class AiohttpTransport:
    """A pool of at most `max_connections`. The session belongs to the event loop of the first request."""

    def __init__(self, policy: UrlPolicy, *, max_connections: int = 1024, ca_file: str | None = None) -> None:
        self._policy = policy
        self._max_connections = max_connections
        self._tls = tls_context(ca_file)
        self._session: aiohttp.ClientSession | None = None

    def _open(self) -> aiohttp.ClientSession:
        trace = aiohttp.TraceConfig()
        trace.on_connection_create_end.append(_connected)
        trace.on_connection_reuseconn.append(_connected)
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=_CheckedResolver(self._policy),
                use_dns_cache=False,
                ssl=self._tls,
                limit=self._max_connections,
                keepalive_timeout=KEEPALIVE_S,
                socket_factory=_socket,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            skip_auto_headers=("User-Agent", "Accept", "Content-Type"),
            trace_configs=[trace],
        )

    async def request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, *, timeout_s: float, max_bytes: int
    ) -> Reply:
        target = parse_url(url)
        if self._session is None:
            self._session = self._open()
        phase = _Phase()
        connect_s = min(CONNECT_S, timeout_s)
        try:
            async with asyncio.timeout(timeout_s):
                if _is_address(target.host):  # aiohttp asks its resolver for names only
                    await self._policy.addresses(target.host, target.port)
                async with self._session.request(
                    method,
                    URL(str(target), encoded=True),
                    headers=headers,
                    data=body,
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(total=None, connect=connect_s, sock_connect=connect_s),
                    trace_request_ctx=phase,
                ) as response:
                    return await _read(response, max_bytes)
        except _BEFORE_SENDING as error:
            raise NotSent("the server cannot be reached") from error
        except TimeoutError:
            if not phase.connected:
                raise NotSent("the server cannot be reached in time") from None
            raise TimedOut("no answer in time") from None
        except aiohttp.ClientError as error:
            if not phase.connected:
                raise NotSent("the server cannot be reached") from error
            raise BrokenAfterSending("the connection broke before the answer was complete") from error

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


async def _read(response: aiohttp.ClientResponse, max_bytes: int) -> Reply:
    headers = {name.lower(): value for name, value in response.headers.items()}
    if response.content_length is not None and response.content_length > max_bytes:
        raise TooLarge(response.status, headers)
    parts = bytearray()
    async for part in response.content.iter_any():
        parts += part
        if len(parts) > max_bytes:
            raise TooLarge(response.status, headers)
    return Reply(response.status, headers, bytes(parts))
