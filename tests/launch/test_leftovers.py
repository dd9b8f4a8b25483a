"""What a client sends to a socket that is closed already."""

import asyncio
from typing import Any

from dispatcher.launch.connections import Message, Receive, Scope, Send
from dispatcher.launch.leftovers import without_leftovers

SOCKET: dict[str, Any] = {"type": "websocket"}
FLOOD = {"type": "websocket.receive", "text": "x"}
GONE = {"type": "websocket.disconnect", "code": 1000}


async def closes(scope: Scope, receive: Receive, send: Send) -> None:
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.close", "code": 1008})


async def denies(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "websocket.http.response.start", "status": 401, "headers": []})


async def unheard(message: Message) -> None:
    pass


async def test_the_rest_is_dropped_until_the_client_answers_the_close() -> None:
    inbound = asyncio.Queue[Message](2)  # whoever has more to say waits for room
    serving = asyncio.ensure_future(without_leftovers(closes, answer_s=5)(SOCKET, inbound.get, unheard))
    async with asyncio.timeout(2):
        for message in ({"type": "websocket.connect"}, *[FLOOD] * 20):
            await inbound.put(message)
        assert not serving.done()
        await inbound.put(GONE)
        await serving


async def test_a_client_that_does_not_answer_is_waited_for_but_not_for_ever() -> None:
    inbound = asyncio.Queue[Message](2)
    inbound.put_nowait({"type": "websocket.connect"})
    async with asyncio.timeout(2):
        await without_leftovers(closes, answer_s=0.01, quiet_s=0.05)(SOCKET, inbound.get, unheard)
        for _ in range(20):
            await inbound.put(FLOOD)  # nor is whoever hands it over held up
        await asyncio.sleep(0.1)


async def test_who_is_gone_or_was_not_let_in_is_not_waited_for() -> None:
    async def leaves(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        assert (await receive())["type"] == "websocket.disconnect"

    inbound = asyncio.Queue[Message](2)
    inbound.put_nowait(GONE)
    async with asyncio.timeout(2):
        for app in (leaves, denies):
            await without_leftovers(app, answer_s=60, quiet_s=0.01)(SOCKET, inbound.get, unheard)
