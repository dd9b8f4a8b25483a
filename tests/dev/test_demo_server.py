"""The demo servers speak the predict protocol."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from dispatcher.dev import demo_server
from dispatcher.dev.demo_server import FLEET, DemoServer

CALL = {"taskId": "task_1", "type": "t", "priority": 1, "payload": {"a": 1}, "capabilities": [], "attempt": 1}
CALLBACK = {"X-Callback-Url": "http://gw/api/task/task_1", "X-Callback-Token": "cb_1", "X-Attempt": "1"}


class World:
    """A demo server without a network, and the reports that it sends."""

    def __init__(self, server: DemoServer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.server = server
        self.reports: list[dict[str, Any]] = []
        self.reported = asyncio.Event()
        monkeypatch.setattr(demo_server, "send_json", self._send_json)
        headers = {"Authorization": f"Bearer {server.api_key}"}
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(server), base_url="http://demo", headers=headers)

    async def _send_json(self, method: str, url: str, headers: dict[str, str], body: dict[str, Any]) -> int:
        assert (method, url, headers["X-Callback-Token"], headers["X-Attempt"]) == (
            "PUT",
            CALLBACK["X-Callback-Url"],
            "cb_1",
            "1",
        )
        self.reports.append(body)
        if body["status"] == "COMPLETED":
            self.reported.set()
        return 200

    async def predict(self, task_id: str = "task_1") -> httpx.Response:
        return await self.client.post("/predict", json={**CALL, "taskId": task_id}, headers=CALLBACK)


@pytest.fixture
async def fast(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    world = World(DemoServer(replace(FLEET[0], work_s=0)), monkeypatch)
    yield world
    await world.client.aclose()


@pytest.fixture
async def reporting(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    world = World(DemoServer(replace(FLEET[2], work_s=0)), monkeypatch)
    yield world
    await world.server.stop()
    await world.client.aclose()


def test_the_fleet_differs_in_speed_and_weight_and_one_reports() -> None:
    assert len({demo.work_s for demo in FLEET}) == len({demo.weight for demo in FLEET}) == 3
    assert [demo.reports for demo in FLEET] == [False, False, True]


async def test_a_server_answers_with_the_result(fast: World) -> None:
    answer = await fast.predict()
    assert answer.status_code == 200
    assert answer.json()["echo"] == {"a": 1}
    assert fast.server.active == 0


async def test_a_server_accepts_and_reports(reporting: World) -> None:
    answer = await reporting.predict()
    assert answer.status_code == 202
    assert reporting.server.running == ["task_1"]
    await reporting.reported.wait()
    assert [report["status"] for report in reporting.reports] == ["PROCESSING", "COMPLETED"]
    assert reporting.reports[1]["result"]["echo"] == {"a": 1}


async def test_a_full_server_says_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(DemoServer(replace(FLEET[2], work_s=60, max_concurrent=1)), monkeypatch)
    await world.predict()
    busy = await world.predict("task_2")
    assert (busy.status_code, busy.headers["retry-after"]) == (429, "1")
    await world.server.stop()
    await world.client.aclose()


async def test_cancel_stops_accepted_work(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(DemoServer(replace(FLEET[2], work_s=60)), monkeypatch)
    await world.predict()
    assert (await world.client.post("/cancel", json={"taskId": "task_1", "attempt": 1})).status_code == 200
    await asyncio.gather(*world.server._jobs.values(), return_exceptions=True)
    await asyncio.sleep(0)
    assert world.server.active == 0
    assert (await world.client.post("/cancel", json={"taskId": "task_1", "attempt": 1})).status_code == 404
    await world.client.aclose()


async def test_another_key_is_refused(fast: World) -> None:
    refused = await fast.client.post("/predict", content=json.dumps(CALL), headers={"Authorization": "Bearer x"})
    assert refused.status_code == 401
    assert (await fast.client.get("/health", headers={"Authorization": ""})).status_code == 200


async def test_metrics_follow_the_load(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(DemoServer(replace(FLEET[2], work_s=60)), monkeypatch)
    idle = world.server.metrics()
    await world.predict()
    assert world.server.metrics()["gpu"] > idle["gpu"]
    await world.server.stop()
    await world.client.aclose()
