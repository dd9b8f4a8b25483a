"""What is open at the moment, and how it is brought to an end.

ASGI servers differ in what they do with an endless stream at shutdown: some wait for ever, some cut it. Here every
server sees streams that end by themselves.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

SERVICE_RESTART = 1012  # WebSocket close code, IANA registry: come back, to whichever gateway is there then


@dataclass(eq=False, slots=True)
class _Exchange:
    """One request or socket, and how far it is."""

    kind: str
    task: "asyncio.Task[Any] | None"
    started: bool = False  # response begun, or socket accepted
    ended: bool = False
    cut: bool = False  # cancelled by us


class Connections:
    """An ASGI app around the real one. Answers `lifespan` itself: starting and stopping is the launcher's."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._open: set[_Exchange] = set()
        self._closing = False
        self._idle = asyncio.Event()
        self._idle.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _acknowledge_lifespan(receive, send)
            return
        exchange = _Exchange(scope["type"], asyncio.current_task())
        self._open.add(exchange)
        self._idle.clear()
        try:
            await self._app(scope, receive, self._watched(exchange, send))
        except asyncio.CancelledError:
            if not exchange.cut:
                raise
            if exchange.task is not None:
                exchange.task.uncancel()
            await _say_goodbye(exchange, send)
        finally:
            self._open.discard(exchange)
            if not self._open:
                self._idle.set()

    def _watched(self, exchange: _Exchange, send: Send) -> Send:
        async def watched(message: Message) -> None:
            await send(message)
            match message["type"]:
                case "http.response.start" | "websocket.accept":
                    exchange.started = True
                    if self._closing:
                        self._cut(exchange)
                case "http.response.body":
                    exchange.ended = not message.get("more_body", False)
                case "websocket.close":
                    exchange.ended = True

        return watched

    def end_streams(self) -> None:
        """End what has begun to answer and would go on: open sockets and event streams. Also those still to begin."""
        self._closing = True
        for exchange in list(self._open):
            if exchange.started:
                self._cut(exchange)

    def _cut(self, exchange: _Exchange) -> None:
        if not exchange.ended and not exchange.cut and exchange.task is not None:
            exchange.cut = True
            exchange.task.cancel()

    async def wait_idle(self) -> None:
        """Until no request and no socket is open."""
        await self._idle.wait()


async def _acknowledge_lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _say_goodbye(exchange: _Exchange, send: Send) -> None:
    if exchange.kind == "websocket":
        await send({"type": "websocket.close", "code": SERVICE_RESTART, "reason": "gateway stops"})
    else:
        await send({"type": "http.response.body", "body": b"", "more_body": False})
