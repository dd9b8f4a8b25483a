"""What a WebSocket's client still sends when we are done with it.

Hypercorn hands messages over in a queue of ten, and waits for room. Nobody reads it any more once a socket is closed: a
client that went on sending would hold its connection, and all that belongs to it, for ever. It would not see the close
code either, because a connection that is cut with unread data in it takes that code with it.
"""

import asyncio
from contextlib import suppress

from dispatcher.launch.connections import ASGIApp, Message, Receive, Scope, Send

ANSWER_S = 2.0  # a client has this long to answer a close
QUIET_S = 5.0  # after so long without a message there are none left


def without_leftovers(app: ASGIApp, *, answer_s: float = ANSWER_S, quiet_s: float = QUIET_S) -> ASGIApp:
    """The app, and what its sockets leave unread is read and dropped."""
    reading = set[asyncio.Task[None]]()

    async def around(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            return await app(scope, receive, send)
        opened = gone = False

        async def received() -> Message:
            nonlocal gone
            message = await receive()
            gone = gone or message["type"] == "websocket.disconnect"
            return message

        async def sent(message: Message) -> None:
            nonlocal opened
            opened = opened or message["type"] == "websocket.accept"
            await send(message)

        await app(scope, received, sent)
        if not opened:
            return None
        with suppress(TimeoutError):
            async with asyncio.timeout(answer_s):
                while not gone:
                    await received()
        if gone:
            return None
        task = asyncio.ensure_future(_until_quiet(receive, quiet_s))
        reading.add(task)
        task.add_done_callback(reading.discard)
        return None

    return around


async def _until_quiet(receive: Receive, quiet_s: float) -> None:
    with suppress(TimeoutError):
        while True:
            async with asyncio.timeout(quiet_s):
                await receive()
