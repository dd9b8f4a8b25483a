"""Hypercorn below our launcher: its own signals, drain and command line stay unused."""

import asyncio
import socket
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config
from hypercorn.protocol import h2, h11, ws_stream
from hypercorn.protocol.events import Event, StreamClosed

from dispatcher.launch.connections import ASGIApp
from dispatcher.launch.leftovers import without_leftovers


class _PlainHandshake(ws_stream.Handshake):
    """Accepts no WebSocket extension.

    Hypercorn 0.18 always accepts permessage-deflate and has no setting for it. Our messages are small; a window of
    memory per socket, and the room it gives to decompression bombs, are not worth what it saves.
    """

    def __init__(self, headers: list[tuple[bytes, bytes]], http_version: str) -> None:
        super().__init__(headers, http_version)
        self.extensions = None


ws_stream.Handshake = _PlainHandshake  # type: ignore[misc]


class _Stream(ws_stream.WSStream):
    """Stops its pings when the socket ends: asleep, they would keep all that belongs to it for one more interval."""

    _pinging: "asyncio.Task[None] | None" = None

    async def handle(self, event: Event) -> None:
        if isinstance(event, StreamClosed) and self._pinging is not None:
            self._pinging.cancel()
        await super().handle(event)

    async def _send_pings(self) -> None:
        self._pinging = asyncio.current_task()
        await super()._send_pings()


h11.WSStream = h2.WSStream = _Stream  # type: ignore[attr-defined]

STOP_S = 1.0  # what is open by then was given its time before


async def run(app: ASGIApp, bound: socket.socket, stop: asyncio.Event, *, ping_interval_s: float) -> None:
    """Serve until `stop`, and at most some 2 s longer.

    The task is cancelled in the end because on Python >= 3.12.1 Hypercorn waits without limit for open connections
    before it looks at its own graceful timeout.
    """
    asyncio.get_running_loop().set_exception_handler(_report)
    config = Config()
    config.bind = [f"fd://{bound.detach()}"]
    config.backlog = 1024
    config.errorlog = None
    config.accesslog = None
    config.include_server_header = False
    config.keep_alive_timeout = 75.0
    config.keep_alive_max_requests = 1_000_000
    config.websocket_ping_interval = ping_interval_s
    config.websocket_max_message_size = 16 << 20  # a result; our own limits are narrower
    config.graceful_timeout = STOP_S
    task = asyncio.ensure_future(serve(without_leftovers(app), config, shutdown_trigger=stop.wait))  # type: ignore[arg-type]
    stopped = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({task}, timeout=2 * STOP_S)
    finally:
        task.cancel()
        stopped.cancel()
        await asyncio.gather(task, stopped, return_exceptions=True)
    if not stop.is_set() and (error := task.exception()) is not None:
        raise error


def _report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """As the loop would, but for connections that were cut off in the end: Python 3.11 takes each for a fault."""
    if not isinstance(context.get("exception"), asyncio.CancelledError):
        loop.default_exception_handler(context)
