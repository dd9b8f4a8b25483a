"""What is given up as too large: what the gateway says it does not take, and what breaks connections."""

import asyncio
import json
from typing import Any

import pytest

from dispatcher.agent.outgoing import Outgoing

RESULT = {"type": "result", "taskId": "t1", "attempt": 1, "status": "COMPLETED", "result": "x" * 50}
DONE = {"type": "commandDone", "id": "c1", "detail": {"text": "x" * 100}}


@pytest.mark.parametrize(
    ("largest", "types"),
    [
        ({"type": "heartbeat", "metrics": "x" * 1000}, ["result", "commandDone"]),
        ({"type": "heartbeat"}, ["commandFailed", "result"]),
    ],
)
async def test_only_what_was_too_large_is_given_up(largest: dict[str, Any], types: list[str]) -> None:
    sent: list[str] = []

    async def send(text: str) -> None:
        sent.append(text)

    outgoing = Outgoing()
    await outgoing.connected(send)
    await outgoing.put(("t1", 1), RESULT)
    await outgoing.put("c1", DONE)
    await outgoing.tell(**largest)
    outgoing.too_large()
    outgoing.lost()
    sent.clear()
    await outgoing.connected(send)
    assert [text.split('"')[3] for text in sent] == types
    assert any("x" * 50 in text for text in sent), "the result was not too large"


class Heard:
    """The gateway's end: names of what came over the newest connection, those that were given up in capitals."""

    def __init__(self, outgoing: Outgoing) -> None:
        self.outgoing = outgoing
        self.names: list[str] = []

    async def send(self, text: str) -> None:
        message = json.loads(text)
        name = message.get("taskId", message.get("id"))
        given_up = str(message.get("error", "")).startswith("The result is too large")
        self.names.append(name.upper() if given_up else name)

    async def connect(self, most_bytes: int = 1 << 24) -> list[str]:
        self.names.clear()
        await self.outgoing.connected(self.send, most_bytes)
        await asyncio.sleep(0)
        return self.names

    def broken(self) -> None:
        self.outgoing.broken()
        self.outgoing.lost()


def result(name: str, size: int) -> dict[str, Any]:
    return {"type": "result", "taskId": name, "attempt": 1, "status": "COMPLETED", "result": "x" * size}


async def test_what_is_over_the_gateway_s_bound_is_never_sent() -> None:
    outgoing = Outgoing()
    heard = Heard(outgoing)
    await outgoing.put("big", result("big", 2_000))
    assert await heard.connect(3_000) == ["big"]
    outgoing.lost()
    assert await heard.connect(1_000) == ["BIG"], "another gateway takes less"
    await outgoing.put("c1", {"type": "commandDone", "id": "c1", "detail": {"text": "é" * 400}})
    await outgoing.put("small", result("small", 800))
    assert heard.names == ["BIG", "C1", "small"]


async def test_of_a_gateway_that_tells_no_bound_8_mib_are_believed() -> None:
    outgoing = Outgoing()
    heard = Heard(outgoing)
    await outgoing.connected(heard.send)
    await outgoing.put("fits", result("fits", (8 << 20) - 200))
    await outgoing.put("big", result("big", 8 << 20))
    assert heard.names == ["fits", "BIG"]


async def test_what_breaks_one_connection_after_another_lets_all_others_through_and_is_given_up() -> None:
    outgoing = Outgoing()
    heard = Heard(outgoing)
    await heard.connect()
    for name, size in (("big", 200_000), ("middle", 100_000), ("small", 10)):
        await outgoing.put(name, result(name, size))
    heard.broken()
    assert await heard.connect() == ["small", "middle"], "the suspect waits"
    outgoing.confirmed("small")
    outgoing.confirmed("middle")
    await asyncio.sleep(0)
    assert heard.names == ["small", "middle", "big"]
    heard.broken()
    assert await heard.connect() == ["big"]
    heard.broken()
    assert await heard.connect() == ["BIG"]


@pytest.mark.parametrize("size", [10, 200_000])
async def test_what_was_answered_or_is_small_broke_no_connection(size: int) -> None:
    outgoing = Outgoing(lambda seconds: asyncio.sleep(0))
    heard = Heard(outgoing)
    await outgoing.put("end", result("end", size))
    for _ in range(4):
        assert set(await heard.connect()) == {"end"}
        heard.broken()
        assert set(await heard.connect()) == {"end"}
        if size > 10:
            outgoing.again("end")  # the gateway has seen it
            heard.broken()
    await heard.connect()
    await outgoing.put("done", result("done", 300_000))
    outgoing.confirmed("done")
    heard.broken()
    assert "END" not in await heard.connect()
