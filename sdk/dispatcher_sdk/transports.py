"""How requests travel. A client takes any object with `send`, `stream` and `close`; tests hand in their own."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from dispatcher_sdk._http import httpx
from dispatcher_sdk.errors import ConnectionFailed, RequestTimeout
from dispatcher_sdk.flows.steps import Request, Response


@dataclass(frozen=True)
class Stream:
    """An answer that is read as it comes. One that refuses has its body in `head`, and no `chunks`; these raise
    ConnectionFailed or RequestTimeout."""

    head: Response
    chunks: Iterator[bytes]
    close: Callable[[], None]


@dataclass(frozen=True)
class AsyncStream:
    """The same with asyncio."""

    head: Response
    chunks: AsyncIterator[bytes]
    close: Callable[[], Awaitable[None]]


class Transport(Protocol):
    """Performs one request with blocking calls."""

    def send(self, request: Request) -> Response:
        """Return the whole response, whatever its status. Raises ConnectionFailed or RequestTimeout."""
        ...

    def stream(self, request: Request) -> Stream:
        """The response as soon as its head is there; to be closed. Raises as `send`."""
        ...

    def close(self) -> None:
        """Release the connections."""
        ...


class AsyncTransport(Protocol):
    """The same with asyncio."""

    async def send(self, request: Request) -> Response:
        """Return the whole response, whatever its status. Raises ConnectionFailed or RequestTimeout."""
        ...

    async def stream(self, request: Request) -> AsyncStream:
        """The response as soon as its head is there; to be closed. Raises as `send`."""
        ...

    async def close(self) -> None:
        """Release the connections."""
        ...


class HttpTransport:
    """HTTP with pooled connections; redirects are not followed, so the token stays with its gateway."""

    def __init__(self, url: str, *, client: Any = None) -> None:
        self._url = checked_url(url)
        self._client: httpx.Client = client or httpx.Client(trust_env=not _is_loopback(url))

    def send(self, request: Request) -> Response:
        """Perform the request."""
        with _errors_translated():
            return _own(self._client.request(**_arguments(self._url, request)))

    def stream(self, request: Request) -> Stream:
        """Perform the request up to the head of its answer."""
        with _errors_translated():
            asked = self._client.build_request(**_arguments(self._url, request))
            answer = self._client.send(asked, stream=True)
            try:
                body = answer.read() if answer.status_code >= 300 else b""
            except BaseException:
                answer.close()
                raise
        chunks = self._chunks(answer)

        def close() -> None:
            chunks.close()
            answer.close()

        return Stream(_head(answer, body), chunks, close)

    def _chunks(self, answer: "httpx.Response") -> Generator[bytes, None, None]:
        with _errors_translated():
            yield from answer.iter_bytes()

    def close(self) -> None:
        """Close the pool."""
        self._client.close()


class AsyncHttpTransport:
    """The same with asyncio."""

    def __init__(self, url: str, *, client: Any = None) -> None:
        self._url = checked_url(url)
        self._client: httpx.AsyncClient = client or httpx.AsyncClient(trust_env=not _is_loopback(url))

    async def send(self, request: Request) -> Response:
        """Perform the request."""
        with _errors_translated():
            return _own(await self._client.request(**_arguments(self._url, request)))

    async def stream(self, request: Request) -> AsyncStream:
        """Perform the request up to the head of its answer."""
        with _errors_translated():
            asked = self._client.build_request(**_arguments(self._url, request))
            answer = await self._client.send(asked, stream=True)
            try:
                body = await answer.aread() if answer.status_code >= 300 else b""
            except BaseException:
                await answer.aclose()
                raise
        chunks = self._chunks(answer)

        async def close() -> None:
            await chunks.aclose()
            await answer.aclose()

        return AsyncStream(_head(answer, body), chunks, close)

    async def _chunks(self, answer: "httpx.Response") -> AsyncGenerator[bytes, None]:
        with _errors_translated():
            async for chunk in answer.aiter_bytes():
                yield chunk

    async def close(self) -> None:
        """Close the pool."""
        await self._client.aclose()


def checked_url(url: str) -> str:
    """The gateway's URL without a trailing slash; raises ValueError for anything but http and https."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"the gateway's URL has to start with http:// or https:// and name a host, not {url!r}")
    return url.rstrip("/")


def _is_loopback(url: str) -> bool:
    """Whether the host is this machine, which no proxy from the environment can reach."""
    host = urlsplit(url).hostname or ""
    return host == "localhost" or host == "::1" or host.startswith("127.")


def _arguments(base: str, request: Request) -> dict[str, Any]:
    return {
        "method": request.method,
        "url": base + request.url if request.url.startswith("/") else request.url,
        "params": dict(request.query) or None,
        "headers": dict(request.headers),
        "content": request.body,
        "timeout": request.timeout,
    }


def _own(answer: "httpx.Response") -> Response:
    return _head(answer, answer.content)


def _head(answer: "httpx.Response", body: bytes) -> Response:
    return Response(answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, body)


@contextmanager
def _errors_translated() -> Iterator[None]:
    """The library's errors as our own. While connecting or waiting for a pooled connection nothing has been sent."""
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        raise ConnectionFailed(f"no connection: {error or type(error).__name__}", sent=False) from error
    except httpx.TimeoutException as error:
        raise RequestTimeout(f"no answer in time ({type(error).__name__})") from error
    except (httpx.TransportError, httpx.DecodingError) as error:
        raise ConnectionFailed(f"the connection broke: {error or type(error).__name__}", sent=True) from error
