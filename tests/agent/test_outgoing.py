"""What is given up when the gateway closes the connection over the size of a message: the one that it was about."""

from typing import Any

import pytest

from dispatcher.agent.outgoing import Outgoing

RESULT = {"type": "result", "taskId": "t1", "attempt": 1, "status": "COMPLETED", "result": "x" * 50}
DONE = {"type": "commandDone", "id": "c1", "detail": {"text": "x" * 100}}


@pytest.mark.parametrize(
    ("largest", "types"),
    [
        ({"type": "heartbeat", "metrics": "x" * 1000}, ["result", "commandDone"]),
        ({"type": "heartbeat"}, ["result", "commandFailed"]),
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
    assert "x" * 50 in sent[0], "the result was not too large"
