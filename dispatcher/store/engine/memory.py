"""The last resort: an engine inside this process that forgets everything."""

import asyncio
from collections.abc import Callable

from fakeredis import FakeAsyncRedis, FakeServer
from redis.asyncio import Redis

from dispatcher.store.engine.engine import Engine


def memory_engine() -> Engine:
    """An engine on dicts; every client that it makes sees the same data, until the process ends."""
    server = FakeServer()

    def client() -> Redis:
        fake: Redis = FakeAsyncRedis(server=server)
        return fake

    return Engine(
        name="fakeredis (in this process, nothing is saved)", url="memory:", durable=False, client=client, watch=_watch
    )


async def _watch(_: Callable[[str], None]) -> None:
    """It lives as long as this process."""
    await asyncio.Event().wait()
