"""The Redis store as tests want it: on a real server or on fakeredis, with a clock that the test moves."""

import fakeredis
from redis.asyncio import Redis

from dispatcher.store import Store, StoreOptions, store_on

NAMESPACE = "test"
CLOCK = "{test}:clock"
START_MS = 1_700_000_000_000


class RedisWorld:
    """A store on an empty Redis. `advance` moves its clock."""

    def __init__(self, client: Redis, store: Store) -> None:
        self.client = client
        self.store = store

    async def advance(self, ms: int) -> None:
        await self.client.incrby(CLOCK, ms)

    async def dump(self) -> dict[bytes, bytes]:
        """Every key but the clock, byte for byte: what a refusal must leave as it was."""
        found = {}
        for key in sorted([k async for k in self.client.scan_iter(count=1000)]):
            if key != CLOCK.encode():
                found[key] = await self._content(key)
        return found

    async def _content(self, key: bytes) -> bytes:
        kind = await self.client.type(key)
        match kind:
            case b"hash":
                value: object = sorted((await self.client.hgetall(key)).items())
            case b"zset":
                value = await self.client.zrange(key, 0, -1, withscores=True)
            case b"set":
                value = sorted(await self.client.smembers(key))
            case b"list":
                value = await self.client.lrange(key, 0, -1)
            case b"stream":
                value = await self.client.xrange(key)
            case _:
                value = await self.client.get(key)
        return repr((kind, value)).encode()


def fake_client() -> Redis:
    return fakeredis.FakeAsyncRedis(server=fakeredis.FakeServer())


async def make_redis_store(client: Redis, options: StoreOptions | None = None) -> RedisWorld:
    """Empties the database behind `client` and opens a store on it, at `START_MS`."""
    await client.flushall()
    await client.set(CLOCK, START_MS)
    store = store_on(client, lambda: client, namespace=NAMESPACE, options=options, test_clock=True)
    return RedisWorld(client, store)
