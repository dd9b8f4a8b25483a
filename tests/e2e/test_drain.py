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


async def _until_closed(socket: ClientConnection) -> tuple[list[Any], int | None]:
    """What still came, and the code it was closed with."""
    updates = []
    try:
        while True:
            updates.append(json.loads(await asyncio.wait_for(socket.recv(), 10)))
    except ConnectionClosed as closed:
        return updates, closed.rcvd.code if closed.rcvd else None


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
            headers = {"Authorization": f"Bearer {token('ann')}"}
            async with connect(f"ws{leaving.url[4:]}/ws", additional_headers=headers) as socket:
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
                updates, closed = await _until_closed(socket)
            code = await asyncio.to_thread(leaving.process.wait, 10)
            took = time.monotonic() - began
    finally:
        del world.fleet.environ["DISPATCHER_SERVER__ENGINE"]
    ends = [await world.task(task) for task in plain]
    print(
        f"\ndrain on {engine}: {took:.1f} s with 1.5 s of work in flight, exit code {code}, socket closed with {closed}"
    )
    assert (answer["status"], elsewhere["status"]) == ("COMPLETED", "COMPLETED")
    assert [(task["status"], task["attempt"]) for task in ends] == [("COMPLETED", 1)] * 3
    assert updates[-1]["task"]["status"] == "COMPLETED"
    assert closed == 1012, "service restart: come back"
    assert code == 0
    assert took < 10
