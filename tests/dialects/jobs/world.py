"""The whole gateway without a network: as the composition root builds it, on the store in memory, in manual time."""

import asyncio
import json
import random
from collections.abc import Mapping
from typing import Any, cast

import httpx

from dispatcher.app import build
from dispatcher.app.build import make_tokens
from dispatcher.app.options import store_options
from dispatcher.dialects.dialect import Dialect
from dispatcher.domain.clock import ManualClock
from dispatcher.settings import Secrets, Settings
from dispatcher.store import Store
from dispatcher.store.memory import MemoryStore
from tests.support.program import SECRET

SHA = "ab" * 32
JOB = {
    "type": "data-processing",
    "binary_url": "https://example.com/binary",
    "binary_sha256": SHA,
    "priority": "background",
}
EXECUTOR = "worker-1-abc123"
START_MS = 1_704_110_400_000  # 2024-01-01T12:00:00Z
LIFE_S = 100 * 86_400


class NoClient:
    async def aclose(self) -> None:
        """Nothing to close."""


class World:
    def __init__(self, **sections: Any) -> None:
        self.clock = ManualClock(START_MS)
        self.settings = Settings.model_validate({"limits": {"enabled": True}, **sections})
        secrets = Secrets(jwt_secret=SECRET)
        self.store = MemoryStore(self.clock, store_options(self.settings))
        store = Store(
            self.store.tasks, self.store.servers, self.store.stats, self.store.coordination, self.store.batches,
            self.store.logs, self.store.files, cast("Any", NoClient()),
        )  # fmt: skip
        self.gateway = build(self.settings, secrets, store, clock=self.clock, rng=random.Random(1), gateway_id="gw_1")
        self.services = self.gateway.services
        self._issue = make_tokens(self.settings, secrets, self.clock).issue
        self.tokens = {
            "a": self.issue("a", ["client"]),
            "b": self.issue("b", ["client"]),
            "foreign": self.issue("a", ["client"], "other"),
            "worker": self.issue("pool", ["server"]),
            "bound": self.issue("x", ["server"], server_id=f"jobs:{EXECUTOR}"),
            "admin": self.issue("root", ["admin"]),
            "garbage": "garbage",
        }
        transport = httpx.ASGITransport(app=self.gateway.asgi, client=("10.0.0.9", 1))
        self.http = httpx.AsyncClient(transport=transport, base_url="http://gateway")

    def issue(self, sub: str, roles: list[str], tenant: str = "default", server_id: str | None = None) -> str:
        return self._issue(sub, roles, LIFE_S, tenant, server_id)

    def dialect(self, auth: str) -> Dialect:
        return self.gateway.dialects["jobs", auth]

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
        prefix: str = "/jobs/api/v1",
    ) -> httpx.Response:
        """One request; `body` is sent as JSON, `raw` as it is."""
        sent = dict(headers or {})
        if caller is not None:
            sent["Authorization"] = f"Bearer {self.tokens[caller]}"
        content = raw if raw is not None or body is None else json.dumps(body).encode()
        if content is not None:
            sent.setdefault("Content-Type", "application/json")
        return await self.http.request(method, prefix + path, headers=sent, content=content)

    async def submit(self, caller: str = "a", **more: Any) -> str:
        answer = await self.call("POST", "/jobs", caller, {**JOB, **more})
        assert answer.status_code == 201, answer.text
        job_id: str = answer.json()["id"]
        return job_id

    async def claim(self, executor: str = EXECUTOR, caller: str = "worker", **more: Any) -> dict[str, Any] | None:
        answer = await self.call("POST", "/jobs/claim", caller, {"executor_id": executor, **more})
        assert answer.status_code in (200, 204), answer.text
        return answer.json() if answer.status_code == 200 else None

    async def tell(self, what: str, job_id: str, executor: str = EXECUTOR, **more: Any) -> httpx.Response:
        return await self.call("PUT", f"/jobs/{job_id}/{what}", "worker", {"executor_id": executor, **more})

    async def job(self, job_id: str, caller: str = "admin") -> dict[str, Any]:
        answer = await self.call("GET", f"/jobs/{job_id}", caller)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def later(self, ms: int) -> None:
        """Time passes in small steps, with the duties that go with it."""
        while ms > 0:
            step = min(ms, 1_000)
            self.clock.advance(step)
            await self.gateway.duties.run()
            ms -= step

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    async def close(self) -> None:
        await self.http.aclose()
        await self.gateway.drain(1.0)
        await self.gateway.stop()
