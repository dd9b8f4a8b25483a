import asyncio

import httpcore
import pytest

from dispatcher.forward.pool import ConnectionPool, Origin
from tests.forward.servers import RawServer, answer, serving


def pool(max_connections: int = 10) -> ConnectionPool:
    def connect(origin: Origin) -> httpcore.AsyncHTTPConnection:
        scheme, host, port = origin
        return httpcore.AsyncHTTPConnection(httpcore.Origin(scheme.encode(), host.encode(), port), keepalive_expiry=60)

    return ConnectionPool(connect, max_connections)


async def call(pool: ConnectionPool, server: RawServer) -> httpcore.AsyncHTTPConnection:
    async with pool.connection(("http", "127.0.0.1", server.port)) as connection:
        request = httpcore.Request("GET", server.url(), headers=[(b"Host", b"x")])
        response = await connection.handle_async_request(request)
        await response.aread()
        await response.aclose()
        return connection


async def test_the_last_used_connection_is_used_next() -> None:
    async with serving(answer(200, b"1")) as server:
        connections = pool()
        await asyncio.gather(*(call(connections, server) for _ in range(3)))
        used = await call(connections, server)
        assert await call(connections, server) is used
        assert server.connections == 3
        await connections.aclose()


async def test_origins_share_nothing() -> None:
    async with serving(answer(200, b"1")) as one, serving(answer(200, b"2")) as two:
        connections = pool()
        assert await call(connections, one) is not await call(connections, two)
        await connections.aclose()


async def test_a_dead_connection_of_a_quiet_origin_is_closed() -> None:
    async with serving(answer(200, b"1", close=True)) as quiet, serving(answer(200, b"2")) as busy:
        connections = pool()
        dead, living = await call(connections, quiet), await call(connections, busy)
        await asyncio.sleep(0.05)  # the FIN is on its way
        connections._sweep_at = 0.0
        assert await call(connections, busy) is living
        assert dead.is_closed()
        assert list(connections._idle) == [("http", "127.0.0.1", busy.port)]
        await connections.aclose()


async def test_a_cancelled_wait_keeps_no_place() -> None:
    async with serving(answer(200, b"1")) as server:
        connections = pool(max_connections=1)
        origin = ("http", "127.0.0.1", server.port)
        async with connections.connection(origin):
            for _ in range(20):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.001), connections.connection(origin):
                        pass
        async with asyncio.timeout(2):
            await call(connections, server)
        await connections.aclose()


async def test_a_call_that_ends_after_the_close_keeps_nothing_open() -> None:
    async with serving(answer(200, b"1")) as server:
        connections = pool()
        connection = await call(connections, server)
        async with connections.connection(("http", "127.0.0.1", server.port)) as again:
            assert again is connection
            await connections.aclose()
        assert connection.is_closed()
