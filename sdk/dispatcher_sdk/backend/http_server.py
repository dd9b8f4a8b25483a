"""A small HTTP/1.1 server: asyncio for the bytes, h11 for the protocol. No TLS, no WebSockets, whole bodies only."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import h11

log = logging.getLogger("dispatcher_sdk.backend")

MAX_HEADER_BYTES = 32 * 1024
CHUNK = 64 * 1024


@dataclass(frozen=True)
class HttpRequest:
    """A request with its whole body; header names are lower case, the path has no query."""

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class HttpResponse:
    """A JSON response."""

    status: int
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)


class _Refusal(Exception):
    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class HttpServer:
    """Serves `handler` with keep-alive.

    A header above 32 KiB is answered 431, a body above `max_body` bytes 413. A connection over which no complete
    request came within `read_timeout` seconds is closed, and so is one above `max_connections`.
    """

    def __init__(
        self,
        handler: Callable[[HttpRequest], Awaitable[HttpResponse]],
        *,
        max_body: int = 16 * 1024 * 1024,
        read_timeout: float = 75.0,
        max_connections: int = 1000,
    ) -> None:
        self._handler = handler
        self._max_body = max_body
        self._read_timeout = read_timeout
        self._max_connections = max_connections
        self._busy: set[asyncio.Task[None]] = set()
        self._idle: set[asyncio.Task[None]] = set()
        self._closing = False
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen and return the port, which the system chooses when `port` is 0. Raises OSError."""
        self._server = await asyncio.start_server(self._connected, host, port)
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def close(self, grace: float) -> None:
        """Stop listening, close idle connections, let answers under way be finished for `grace` seconds."""
        self._closing = True
        if self._server is not None:
            self._server.close()
        for task in self._idle:
            task.cancel()
        waiting = self._idle | self._busy
        if waiting:
            _, late = await asyncio.wait(waiting, timeout=grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._idle) + len(self._busy) >= self._max_connections:
            writer.close()
            return
        self._idle.add(task)
        try:
            await self._serve(task, h11.Connection(h11.SERVER, MAX_HEADER_BYTES), reader, writer)
        except (ConnectionError, TimeoutError, asyncio.CancelledError):
            pass  # the peer went away, said nothing, or the server is closing: there is nobody to tell
        finally:
            self._idle.discard(task)
            self._busy.discard(task)
            writer.close()

    async def _serve(
        self,
        task: asyncio.Task[None],
        connection: h11.Connection,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        while not self._closing:
            try:
                request = await self._read(connection, reader, writer)
            except _Refusal as refusal:
                body = b'{"error":"%s"}' % str(refusal).encode()
                await self._write(connection, writer, HttpResponse(refusal.status, body), last=True)
                return
            if request is None:
                return
            self._idle.discard(task)
            self._busy.add(task)
            await self._write(connection, writer, await self._answer(request), last=self._closing)
            self._busy.discard(task)
            self._idle.add(task)
            if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                return
            connection.start_next_cycle()

    async def _answer(self, request: HttpRequest) -> HttpResponse:
        try:
            return await self._handler(request)
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            return HttpResponse(500, b'{"error":"Internal server error"}')

    async def _read(
        self, connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> HttpRequest | None:
        """The next request, None when the peer closed."""
        head: h11.Request | None = None
        body = bytearray()
        async with asyncio.timeout(self._read_timeout):
            while True:
                event = await self._next_event(connection, reader, writer)
                if isinstance(event, h11.Request):
                    head = event
                elif isinstance(event, h11.Data):
                    body += event.data
                    if len(body) > self._max_body:
                        raise _Refusal(413, "Payload too large")
                elif isinstance(event, h11.EndOfMessage) and head is not None:
                    return _request(head, bytes(body))
                else:
                    return None

    async def _next_event(
        self, connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> object:
        while True:
            try:
                event = connection.next_event()
            except h11.RemoteProtocolError as error:
                raise _Refusal(error.error_status_hint, "Malformed request") from None
            if event is not h11.NEED_DATA:
                return event
            if connection.they_are_waiting_for_100_continue:
                go_on = h11.InformationalResponse(status_code=100, headers=[])
                writer.write(connection.send(go_on))
            connection.receive_data(await reader.read(CHUNK))

    async def _write(
        self, connection: h11.Connection, writer: asyncio.StreamWriter, response: HttpResponse, *, last: bool
    ) -> None:
        if connection.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
            return
        headers = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(response.body))),
            *response.headers.items(),
        ]
        if last:
            headers.append(("Connection", "close"))
        parts = [
            connection.send(h11.Response(status_code=response.status, headers=headers)),
            connection.send(h11.Data(data=response.body)),
            connection.send(h11.EndOfMessage()),
        ]
        with suppress(ConnectionError):
            writer.write(b"".join(part for part in parts if part))
            await writer.drain()


def _request(head: h11.Request, body: bytes) -> HttpRequest:
    headers = {name.decode("ascii"): value.decode("latin-1") for name, value in head.headers}
    path = head.target.decode("ascii").partition("?")[0]
    return HttpRequest(head.method.decode("ascii"), path, headers, body)
