"""Agents as programs of their own, with a real gateway and a client."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import LiveGateway
from tests.support.program import Program


class Fleet:
    """A client, an administrator, and agents."""

    def __init__(self, gateway: LiveGateway) -> None:
        self._gateway = gateway
        self.admin = gateway.token("--sub", "root", "--role", "admin")
        client = gateway.token("--sub", "ann", "--role", "client")
        self.http = httpx.AsyncClient(base_url=gateway.url, headers={"Authorization": f"Bearer {client}"}, timeout=30)

    def agent(self, *flags: str, name: str = "box") -> Program:
        arguments = ("agent", "--url", self._gateway.url, "--name", name, *flags)
        program = self._gateway.start(*arguments, DISPATCHER_TOKEN=self.admin)
        program.until("connected as")
        return program

    async def submit(self, kind: str, **payload: Any) -> str:
        body = {"type": "t", "priority": 1, "kind": kind, "payload": payload, "resources": {"memoryMB": 512}}
        answer = await self.http.post("/api/task", json=body)
        assert answer.status_code == 200, answer.text
        name: str = answer.json()["id"]
        return name

    async def get(self, path: str) -> Any:
        answer = await self.http.get(path, headers={"Authorization": f"Bearer {self.admin}"})
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def until(self, path: str, condition: Callable[[Any], bool]) -> Any:
        async with asyncio.timeout(40):
            while not condition(found := await self.get(path)):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)
        return found

    async def ended(self, task_id: str) -> Any:
        return await self.until(f"/api/task/{task_id}", lambda task: task["status"] not in ("PENDING", "PROCESSING"))

    async def order(self, path: str, body: object = None) -> Any:
        answer = await self.http.post(path, json=body, headers={"Authorization": f"Bearer {self.admin}"})
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def lines(self, task_id: str) -> AsyncIterator[str]:
        """As they come, over server-sent events."""
        async with self.http.stream("GET", f"/api/task/{task_id}/logs/stream") as stream:
            async for line in stream.aiter_lines():
                if line.startswith("data:") and "text" in (told := json.loads(line[5:])):
                    yield told["text"]


@pytest.fixture
async def fleet(gateway: LiveGateway) -> AsyncIterator[Fleet]:
    made = Fleet(gateway)
    async with made.http:
        yield made
