"""An end that breaks one connection after another lets the others through, and is given up."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from dispatcher_sdk.backend.job import Job
from dispatcher_sdk.backend.outgoing import Outgoing


class World:
    """The gateway's end: ids of the tasks whose end came over the newest connection, in capitals when given up."""

    def __init__(self) -> None:
        self.outgoing = Outgoing(lambda seconds: asyncio.sleep(0))
        self.names: list[str] = []
        self.putting: list[asyncio.Task[None]] = []

    async def send(self, text: str) -> None:
        message = json.loads(text)
        self.names.append(message["taskId"].upper() if message["status"] == "FAILED" else message["taskId"])

    async def put(self, name: str, size: int) -> None:
        body = json.dumps({"status": "COMPLETED", "result": "x" * size}).encode()
        self.putting.append(asyncio.create_task(self.outgoing.put(Job(name, 1, "t", {}, name), body, 12)))
        await asyncio.sleep(0)

    async def connect(self) -> list[str]:
        self.names.clear()
        await self.outgoing.connected(self.send)
        await asyncio.sleep(0)
        return self.names

    def broken(self) -> None:
        self.outgoing.broken()
        self.outgoing.lost()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    yield made
    made.outgoing.close()
    for task in made.putting:
        task.cancel()
    await asyncio.gather(*made.putting, return_exceptions=True)


async def test_the_others_go_first_and_it_is_given_up(world: World) -> None:
    await world.connect()
    for name, size in (("big", 200_000), ("middle", 100_000), ("small", 10)):
        await world.put(name, size)
    world.broken()
    assert await world.connect() == ["small", "middle"], "the suspect waits"
    world.outgoing.answered(("small", 1), None)
    world.outgoing.answered(("middle", 1), None)
    await asyncio.sleep(0)
    assert world.names == ["small", "middle", "big"]
    world.broken()
    assert await world.connect() == ["big"]
    world.broken()
    assert await world.connect() == ["BIG"]


@pytest.mark.parametrize("size", [10, 200_000])
async def test_what_was_answered_or_is_small_broke_no_connection(world: World, size: int) -> None:
    await world.put("end", size)
    for _ in range(4):
        assert set(await world.connect()) == {"end"}
        world.broken()
        assert set(await world.connect()) == {"end"}
        if size > 10:
            world.outgoing.again(("end", 1))  # the gateway has seen it
            world.broken()
    assert "END" not in await world.connect()
