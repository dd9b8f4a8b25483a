"""Idle connections by origin.

httpcore's own pool looks at every connection for every request (40 at once cost 3 ms of CPU a request, measured with
1.0.9) and can lose a place when a waiting request is cancelled. Its connections are used here, one call at a time each.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import httpcore

from dispatcher.forward.transport import KEEPALIVE_S

Origin = tuple[str, str, int]


class ConnectionPool:
    """Lends connections, at most `max_connections` at once; the most recently used one first.

    `connect` makes one that is not connected yet.
    """

    def __init__(self, connect: Callable[[Origin], httpcore.AsyncHTTPConnection], max_connections: int) -> None:
        self._connect = connect
        self._places = asyncio.Semaphore(max_connections)
        self._idle: dict[Origin, list[httpcore.AsyncHTTPConnection]] = {}
        self._sweep_at = 0.0
        self._closed = False

    @contextlib.asynccontextmanager
    async def connection(self, origin: Origin) -> AsyncIterator[httpcore.AsyncHTTPConnection]:
        """A connection for one call. It is kept when the call left it clean, else closed."""
        async with self._places:
            await self._sweep()
            connection = await self._usable(origin) or self._connect(origin)
            try:
                yield connection
            finally:
                if connection.is_available() and not self._closed:
                    self._idle.setdefault(origin, []).append(connection)
                else:
                    await connection.aclose()

    async def aclose(self) -> None:
        """Close what is idle now, and the rest when its call ends."""
        self._closed = True
        idle, self._idle = self._idle, {}
        for connections in idle.values():
            for connection in connections:
                await connection.aclose()

    async def _usable(self, origin: Origin) -> httpcore.AsyncHTTPConnection | None:
        idle = self._idle.get(origin, [])
        while idle:
            connection = idle.pop()
            if not connection.has_expired():
                return connection
            await connection.aclose()
        return None

    async def _sweep(self) -> None:
        """Close expired connections of origins that are not called any more, now and then."""
        now = asyncio.get_running_loop().time()
        if now < self._sweep_at:
            return
        self._sweep_at = now + KEEPALIVE_S
        for origin in list(self._idle):
            connections = self._idle.pop(origin)
            expired = [c for c in connections if c.has_expired()]
            if kept := [c for c in connections if c not in expired]:
                self._idle[origin] = kept
            for connection in expired:
                await connection.aclose()
