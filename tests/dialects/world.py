"""The whole gateway without a network: as the composition root builds it, on the store in memory, in manual time."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import httpx

from dispatcher.app import build
from dispatcher.app.build import make_tokens
from dispatcher.app.options import store_options
from dispatcher.dialects.dialect import Dialect
from dispatcher.domain.clock import ManualClock
from dispatcher.loops.events import Events
from dispatcher.settings import Secrets, Settings
from dispatcher.store import Store
from dispatcher.store.memory import MemoryStore
from tests.dialects.openapi import check_told
from tests.support.program import SECRET

LIFE_S = 100 * 86_400


class NoClient:
    async def aclose(self) -> None:
        """Nothing to close."""


class GatewayWorld:
    """`name` is the dialect; its tests call below `base`. `tokens` by the name of the caller."""

    name: str
    base: str

    def __init__(self, start_ms: int, **sections: Any) -> None:
        self.clock = ManualClock(start_ms)
        self.settings = Settings.model_validate({"limits": {"enabled": True}, **sections})
        secrets = Secrets(jwt_secret=SECRET)
        self.store = MemoryStore(self.clock, store_options(self.settings))
        store = Store(
            self.store.tasks, self.store.servers, self.store.stats, self.store.coordination, self.store.batches,
            self.store.logs, self.store.files, self.store.telemetry, self.store.commands, self.store.operations,
            self.store.placements, self.store.keys,
            cast("Any", NoClient()),
        )  # fmt: skip
        self.gateway = build(self.settings, secrets, store, clock=self.clock, rng=random.Random(1), gateway_id="gw_1")
        self.services = self.gateway.services
        self._issue = make_tokens(self.settings, secrets, self.clock).issue
        self.tokens = {
            "a": self.issue("a", ["client"]),
            "b": self.issue("b", ["client"]),
            "foreign": self.issue("a", ["client"], "other"),
            "worker": self.issue("pool", ["server"]),
            "admin": self.issue("root", ["admin"]),
            "garbage": "garbage",
        }
        transport = httpx.ASGITransport(app=self.gateway.asgi, client=("10.0.0.9", 1))
        self.http = httpx.AsyncClient(transport=transport, base_url="http://gateway")
        self._document: dict[str, Any] | None = None

    def issue(self, sub: str, roles: list[str], tenant: str = "default", server_id: str | None = None) -> str:
        return self._issue(sub, roles, LIFE_S, tenant, server_id)

    def dialect(self, auth: str) -> Dialect:
        return self.gateway.dialects[self.name, auth]

    @property
    def root(self) -> str:
        """Where the dialect is mounted."""
        return self.dialect("required").prefix

    def listener(self, place: int) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=self.gateway.apps[place])
        return httpx.AsyncClient(transport=transport, base_url="http://gateway")

    async def call(
        self,
        method: str,
        path: str,
        caller: str | None = "a",
        body: object = None,
        *,
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        prefix: str | None = None,
    ) -> httpx.Response:
        """One request; `body` is sent as JSON, `raw` as it is."""
        sent = dict(headers or {})
        if caller is not None:
            sent["Authorization"] = f"Bearer {self.tokens[caller]}"
        content = raw if raw is not None or body is None else json.dumps(body).encode()
        if content is not None:
            sent.setdefault("Content-Type", "application/json")
        url = (self.base if prefix is None else prefix) + path
        answer = await self.http.request(method, url, headers=sent, content=content)
        await self._check_told(answer)
        return answer

    async def _check_told(self, answer: httpx.Response) -> None:
        """Whatever a test does, an answer is one that the OpenAPI document knows."""
        if self._document is None:
            found = await self.http.get(f"{self.root}/openapi.json")
            self._document = found.json() if found.status_code == 200 else {"paths": {}}
        path = answer.request.url.path.removeprefix(self.root)
        check_told(self._document, answer.request.method, path, answer.status_code)

    async def later(self, ms: int) -> None:
        """Time passes in small steps, with the duties that go with it."""
        while ms > 0:
            step = min(ms, 1_000)
            self.clock.advance(step)
            await self.gateway.duties.run()
            ms -= step

    @asynccontextmanager
    async def events(self) -> AsyncIterator[None]:
        """What the events loop does: bring the fleet's stream to the sockets."""
        services = self.services
        loop = Events(
            self.store.coordination,
            services.watch,
            services.workers,
            services.sessions,
            services.commands,
            services.feed,
        )
        task = asyncio.create_task(loop.run_once())
        await asyncio.sleep(0)
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    async def close(self) -> None:
        await self.http.aclose()
        await self.gateway.drain(1.0)
        await self.gateway.stop()
