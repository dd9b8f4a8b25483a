"""The Redis store as tests want it: on a real server or on fakeredis, with a clock that the test moves."""

import contextlib
from collections.abc import AsyncIterator

import fakeredis
from redis.asyncio import Redis

from dispatcher.domain.clock import Clock
from dispatcher.store import Store, StoreOptions, store_on
from dispatcher.store.connection import connect, connect_blocking

FAKE = "fake"


async def set_clock(client: Redis, namespace: str, clock: Clock) -> None:
    """Show the store what time it is."""
    await client.set(f"{{{namespace}}}:clock", clock.now_ms())


@contextlib.asynccontextmanager
async def make_redis_store(url: str, clock: Clock, options: StoreOptions, namespace: str) -> AsyncIterator[Store]:
    """A store in a namespace of its own on the server at `url`, or on a new fakeredis."""
    if url == FAKE:
        server = fakeredis.FakeServer()
        client: Redis = fakeredis.FakeAsyncRedis(server=server)

        def blocking() -> Redis:
            return fakeredis.FakeAsyncRedis(server=server)
    else:
        client = connect(url)

        def blocking() -> Redis:
            return connect_blocking(url)

    await set_clock(client, namespace, clock)
    store = store_on(client, blocking, namespace=namespace, options=options, test_clock=True)
    try:
        yield store
    finally:
        await client.aclose()


async def dump(client: Redis, namespace: str) -> dict[bytes, str]:
    """Every key of a namespace but the clock, whole: what a refusal must leave as it was."""
    found = {}
    async for key in client.scan_iter(f"{{{namespace}}}:*", count=1000):
        if not key.endswith(b":clock"):
            found[key] = await _content(client, key)
    return found


async def _content(client: Redis, key: bytes) -> str:
    kind = await client.type(key)
    match kind:
        case b"hash":
            value: object = sorted((await client.hgetall(key)).items())
        case b"zset":
            value = await client.zrange(key, 0, -1, withscores=True)
        case b"set":
            value = sorted(await client.smembers(key))
        case b"list":
            value = await client.lrange(key, 0, -1)
        case b"stream":
            value = await client.xrange(key)
        case _:
            value = await client.get(key)
    return repr((kind, value))
