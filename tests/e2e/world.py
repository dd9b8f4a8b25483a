"""What a test does with a fleet: tokens, requests through its gateways in turn, servers to register and to ask."""

import asyncio
import itertools
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import aiohttp

from dispatcher.store import Store, StoreOptions, open_store
from tests.e2e.fleet import NAMESPACE, Fleet, token

T = TypeVar("T")
PATIENCE_S = 30.0
ENDED = ("COMPLETED", "FAILED", "TIMEOUT", "CANCELLED")


@dataclass(frozen=True)
class Gpu:
    """A fake server, registered or not."""

    url: str
    id: str
    http: aiohttp.ClientSession

    async def set(self, **settings: Any) -> None:
        async with self.http.post(f"{self.url}/settings", json=settings) as answer:
            assert answer.status == 200

    async def seen(self) -> dict[str, Any]:
        """`calls` (dicts of `fake_servers.Started`), `open` and `high`: the most calls open at once."""
        async with self.http.get(f"{self.url}/calls") as answer:
            found: dict[str, Any] = await answer.json()
            return found

    async def calls(self) -> list[dict[str, Any]]:
        return list((await self.seen())["calls"])

    async def until_open(self, count: int) -> None:
        await until(lambda: self._has_open(count), f"{count} open calls")

    async def _has_open(self, count: int) -> bool:
        return bool((await self.seen())["open"] == count)


async def until(holds: Callable[[], Awaitable[bool]], what: str, patience_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + patience_s
    while not await holds():
        assert time.monotonic() < deadline, f"not within {patience_s:g} s: {what}"
        await asyncio.sleep(0.02)  # other processes: nothing to wait on but their answers


async def many(count: int, work: Callable[[int], Awaitable[T]], at_once: int) -> list[T]:
    """`work(0)` to `work(count - 1)`, at most `at_once` of them under way."""
    numbers = iter(range(count))
    results: dict[int, T] = {}

    async def worker() -> None:
        for number in numbers:
            results[number] = await work(number)

    await asyncio.gather(*(worker() for _ in range(at_once)))
    return [results[number] for number in range(count)]


@dataclass
class World:
    """One test's view of a fleet. Its tasks ask for a capability that only its own servers have."""

    fleet: Fleet
    http: aiohttp.ClientSession
    store: Store
    capability: str = field(default_factory=lambda: f"cap-{secrets.token_hex(4)}")
    registered: list[str] = field(default_factory=list)
    _turn: Any = field(default_factory=itertools.count)

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        via: int | str | None = None,
        bearer: str | None = None,
        expect: int = 200,
        **headers: str,
    ) -> dict[str, Any]:
        """One request as an admin, or with `bearer`; through each gateway in turn, or `via` one (number or URL)."""
        urls = self.fleet.urls
        base = via if isinstance(via, str) else urls[next(self._turn) % len(urls) if via is None else via]
        headers = {"Authorization": f"Bearer {bearer or ADMIN}", **headers}
        async with self.http.request(method, base + path, json=body, headers=headers) as answer:
            text = await answer.text()
            assert answer.status == expect, f"{method} {path}: {answer.status} {text}"
            found: dict[str, Any] = await answer.json()
            return found

    async def register(self, number: int, *, most: int = 256, weight: int = 1, forget: bool = True) -> Gpu:
        """Fake server `number` becomes a server for the tasks of this test."""
        url = self.fleet.server_urls[number]
        body = {
            "name": f"gpu-{number}",
            "endpoints": {"predict": f"{url}/predict", "health": f"{url}/health"},
            "maxConcurrent": most,
            "priority": weight,
            "capabilities": [self.capability],
        }
        if forget:
            async with self.http.post(f"{url}/forget"):
                pass
        server_id = (await self.call("POST", "/api/servers", body))["serverId"]
        self.registered.append(server_id)
        return Gpu(url, server_id, self.http)

    async def servers(self, count: int, **options: Any) -> list[Gpu]:
        return [await self.register(number, **options) for number in range(count)]

    async def unregister(self, server_id: str) -> None:
        await self.call("DELETE", f"/api/servers/{server_id}")
        self.registered.remove(server_id)

    async def maintenance(self, server: Gpu, on: bool, via: int | None = None) -> None:
        await self.call("POST", f"/api/servers/{server.id}/maintenance", {"maintenance": on}, via=via)

    async def algorithm(self, name: str, via: int | None = None) -> None:
        """Switch, and wait until every gateway says so."""
        await self.call("POST", "/api/stats/load-balancer/algorithm", {"algorithm": name}, via=via)

    async def create(self, **fields: Any) -> str:
        """A task that runs on its own; answers its id."""
        return str((await self._submit(True, fields))["id"])

    async def run(self, **fields: Any) -> dict[str, Any]:
        """A task that is waited for: `async: false`."""
        return await self._submit(False, fields)

    async def _submit(self, asynchronous: bool, fields: dict[str, Any]) -> dict[str, Any]:
        via, bearer = fields.pop("via", None), fields.pop("bearer", CLIENT)
        task = {"type": "t", "priority": 5, "payload": {}, "capabilities": [self.capability]} | fields
        return await self.call("POST", "/api/task", {**task, "async": asynchronous}, via=via, bearer=bearer)

    async def task(self, task_id: str, wait: int = 0) -> dict[str, Any]:
        return await self.call("GET", f"/api/task/{task_id}", Prefer=f"wait={wait}")

    async def ended(self, task_id: str, patience_s: float = PATIENCE_S) -> dict[str, Any]:
        """The task once it has ended."""
        deadline = time.monotonic() + patience_s
        while (task := await self.task(task_id, wait=10))["status"] not in ENDED:
            assert time.monotonic() < deadline, task
        return task


ADMIN = token("root", "admin")
CLIENT = token("ann")


@asynccontextmanager
async def world_on(fleet: Fleet) -> AsyncIterator[World]:
    """A world on the fleet; its servers are unregistered afterwards."""
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=60)
    store = open_store(fleet.redis_url, namespace=NAMESPACE, options=StoreOptions())
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:
        world = World(fleet, http, store)
        try:
            yield world
            for server_id in list(world.registered):
                await world.unregister(server_id)
        finally:
            await store.close()
