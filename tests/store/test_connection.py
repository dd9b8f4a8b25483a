"""The client of Redis on a server that closes its connections."""

import asyncio
from contextlib import suppress

from dispatcher.store.connection import connect


class Answering:
    """Says OK to whatever it is asked, and can close all connections as a restart does."""

    def __init__(self) -> None:
        self.open: list[asyncio.StreamWriter] = []

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open.append(writer)
        with suppress(ConnectionError):
            while asked := await reader.read(1 << 16):
                writer.write(b"+OK\r\n" * asked.count(b"*"))

    async def restart(self) -> None:
        for writer in self.open:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in self.open), return_exceptions=True)
        self.open.clear()


async def test_connections_that_the_server_has_closed_are_replaced_before_they_are_used() -> None:
    """A gateway has one for each call that ever ran at once: each would fail one call."""
    redis = Answering()
    async with await asyncio.start_server(redis.handle, "127.0.0.1", 0) as server:
        client = connect(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        await asyncio.gather(*(client.get("key") for _ in range(8)))
        assert len(redis.open) == 8
        await redis.restart()
        assert await asyncio.gather(*(client.get("key") for _ in range(8))) == [b"OK"] * 8
        await client.aclose()
        await redis.restart()
