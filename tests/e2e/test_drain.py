"""SIGTERM: a gateway finishes what it began and sends everything else to the others."""

import asyncio
import json
import os
import signal
import time
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.e2e.fleet import token
from tests.e2e.world import World

pytestmark = pytest.mark.e2e
TASK = {"type": "t", "priority": 1, "payload": {}}


HEADERS = {"Authorization": f"Bearer {token('ann')}"}


async def _until_closed(socket: ClientConnection) -> tuple[int, int | None]:
    """The last revision that came, and the code it was closed with."""
    rev = 0
    try:
        while True:
            rev = (await _message(socket)).get("rev", rev)
    except ConnectionClosed as closed:
        return rev, closed.rcvd.code if closed.rcvd else None


async def _message(socket: ClientConnection) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await asyncio.wait_for(socket.recv(), 10))
    return found


async def _resume(url: str, task: str, rev: int) -> str:
    """The status that a client sees at last who comes back with what it saw last."""
    async with connect(f"ws{url[4:]}/ws", additional_headers=HEADERS) as socket:
        await socket.send(json.dumps({"type": "subscribe", "taskId": task, "rev": rev}))
        assert (await _message(socket))["type"] == "subscribed"
        return str((await _message(socket))["task"]["status"])


@pytest.mark.parametrize("engine", ["hypercorn", "granian"])
async def test_a_draining_gateway_keeps_its_promises(world: World, engine: str) -> None:
    server = await world.register(0)
    await server.set(latency=1.5)
    world.fleet.environ["DISPATCHER_SERVER__ENGINE"] = engine
    try:
        with world.fleet.more_gateways() as (leaving,):
            plain = [await world.create(via=leaving.url) for _ in range(3)]
            caller = asyncio.create_task(world.run(via=leaving.url))
            await server.until_open(4)
            async with connect(f"ws{leaving.url[4:]}/ws", additional_headers=HEADERS) as socket:
                await socket.send(json.dumps({"type": "subscribe", "taskId": plain[0]}))
                await socket.recv()
                began = time.monotonic()
                os.kill(leaving.process.pid, signal.SIGTERM)
                await asyncio.sleep(0.3)  # the signal has to arrive
                assert (await world.call("GET", "/ready", via=leaving.url, expect=503)) == {"ready": False}
                await world.call("POST", "/api/task", TASK, via=leaving.url, expect=503)
                await server.set(latency=0)
                elsewhere = await world.run()
                answer = await caller
                rev, closed = await _until_closed(socket)
            code = await asyncio.to_thread(leaving.process.wait, 10)
            took = time.monotonic() - began
    finally:
        del world.fleet.environ["DISPATCHER_SERVER__ENGINE"]
    ends = [await world.task(task) for task in plain]
    last = await _resume(world.fleet.urls[0], plain[0], min(rev, 2))  # the last one is its third
    print(
        f"\ndrain on {engine}: {took:.1f} s with 1.5 s of work in flight, exit code {code}, socket closed with {closed}"
    )
    assert (answer["status"], elsewhere["status"]) == ("COMPLETED", "COMPLETED")
    assert [(task["status"], task["attempt"]) for task in ends] == [("COMPLETED", 1)] * 3
    assert rev in (2, 3), "the socket lived on with the drain"
    assert last == "COMPLETED"
    assert closed == 1012, "service restart: come back"
    assert code == 0
    assert took < 10
