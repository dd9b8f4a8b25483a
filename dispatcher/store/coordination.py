"""What gateways tell each other through Redis. Implements `service.ports.Coordination`."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import redis.exceptions
from redis.asyncio import Redis

from dispatcher.domain.errors import RateState, Unavailable
from dispatcher.domain.event import FleetEvent, InboxMessage
from dispatcher.service.ports import RateRule
from dispatcher.store.rates import count
from dispatcher.store.reach import GONE, reachable
from dispatcher.store.runner import Runner

_LIVES_MS = 3_000
_BLOCK_MS = 2_000
_READ = ("appendonly", "appendfsync", "maxmemory-policy")


class RedisCoordination:
    """Rate limits, presence, inboxes and the fleet's stream."""

    def __init__(self, runner: Runner, blocking: Callable[[], Redis]) -> None:
        self._run = runner
        self._blocking = blocking  # a client of its own for every reader that waits

    async def limit(self, *rules: RateRule) -> RateState:
        return await count(self._run, *rules)

    async def take_seat(self, holder: str, seat: str, *, most: int, lives_ms: int) -> bool:
        reply = await self._run.call("take_seat", holder=holder, seat=seat, most=most, lives_ms=lives_ms)
        return reply.tag == "taken"

    async def presence(self, gateway: str) -> int:
        return (await self._run.call("presence", gateway=gateway, lives_ms=_LIVES_MS)).epoch

    async def leave(self, gateway: str) -> None:
        await self._run.call("presence", gateway=gateway, lives_ms=0)

    async def inbox(self, gateway: str) -> AsyncIterator[InboxMessage]:
        async for _, raw in self._follow(f"{self._run.root}inbox:{gateway}", start="0-0"):
            yield InboxMessage(raw.get("kind", ""), raw.get("task", ""))

    async def events(self) -> AsyncIterator[FleetEvent]:
        async for entry, raw in self._follow(self._run.root + "ev", start="$"):
            yield FleetEvent(entry, raw.pop("type", ""), raw)

    async def _follow(self, stream: str, start: str) -> AsyncIterator[tuple[str, dict[str, str]]]:
        last, pause = start, 0.1
        while True:
            client = self._blocking()
            try:
                if last == "$":  # pin the end, so that nothing is missed between two reads
                    newest: Any = await client.xrevrange(stream, count=1)
                    last = newest[0][0].decode() if newest else "0-0"
                while True:
                    answer = await _promptly(client.xread({stream: last}, count=256, block=_BLOCK_MS))
                    pause = 0.1
                    for entry, raw in answer[0][1] if answer else ():
                        last = entry.decode()
                        yield last, {k.decode(): v.decode("utf-8", "replace") for k, v in raw.items()}
            except GONE:
                await asyncio.sleep(pause)
                pause = min(pause * 2, 2.0)
            finally:
                with contextlib.suppress(Exception):
                    await client.aclose()

    async def ping(self) -> None:
        try:
            async with asyncio.timeout(1.0):
                await self._run.client.ping()
        except (TimeoutError, *GONE) as error:
            raise Unavailable("The store cannot be reached") from error

    async def durability(self) -> dict[str, str]:
        with reachable():
            return await self._durability()

    async def _durability(self) -> dict[str, str]:
        found: dict[str, str] = {}
        with contextlib.suppress(redis.exceptions.ResponseError):  # not every engine tells
            info = await self._run.client.info("server")
            found["engine"] = "valkey" if "valkey_version" in info else "redis"
            found["version"] = str(info.get("valkey_version") or info.get("redis_version", ""))
        for name in _READ:
            with contextlib.suppress(redis.exceptions.ResponseError):  # CONFIG is often denied on managed Redis
                found |= {str(k): str(v) for k, v in (await self._run.client.config_get(name)).items()}
        return found


async def _promptly(reading: Awaitable[Any]) -> Any:
    """Await a blocking read, but let go of it at once when cancelled: the client may swallow the cancellation
    (`wait_for` of Python 3.11 does) and would sit the block out."""
    task = asyncio.ensure_future(reading)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody asks any more
        task.cancel()
        raise
