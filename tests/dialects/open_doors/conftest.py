from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dispatcher.domain.lane import Offer
from dispatcher.domain.placement import RUNNER
from dispatcher.domain.server import Endpoints, NewServer, Transport
from tests.dialects.open_doors.world import NAME, SUBMIT, Foreign, World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    yield world
    await world.close()


@pytest.fixture
async def foreign(world: World) -> Foreign:
    """A waiting task of each dialect, one that runs of each that has workers, and these."""
    found = Foreign(world, {dialect: [await world.submit(dialect)] for dialect in SUBMIT})
    for name, transport, kinds in (("gpu", Transport.PUSH, {"predict"}), ("models", Transport.SOCKET, {RUNNER})):
        endpoints = Endpoints("https://gpu.example.com/predict") if transport is Transport.PUSH else Endpoints()
        new = NewServer(f"server_{name}", "native", name, endpoints, Offer(frozenset(kinds)), transport=transport)
        found.servers.append((await world.services.servers.register(new)).id)
    await world.services.placements.assign("root", "m", ["server_models"], preload=False)
    executor = (await world.call("POST", "/jobs/api/v1/jobs/claim", "worker", {"executor_id": NAME})).json()
    assert executor["id"] == found.tasks["jobs"][0]
    found.tasks["jobs"].append(await world.submit("jobs"))
    found.servers.append((await world.register(door=False))["server_id"])
    client = world.socket(world.gateway.asgi, "/farm", authorization=f"Bearer {world.tokens['worker']}", client_id=NAME)
    await client.opened()
    client.say("task_request")
    assert (await client.hear())["data"]["id"] == found.tasks["farm"][0]
    found.tasks["farm"].append(await world.submit("farm"))
    others = {server.id for server in await world.services.servers.all()}.difference(found.servers)
    assert len(others) == 2, "the executor and the client"
    found.servers += sorted(others)
    return found
