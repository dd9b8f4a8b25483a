"""Granian (extra `fast`) in this process and on this event loop."""

import asyncio
import socket

from granian.constants import Interfaces
from granian.server.embed import Server

from dispatcher.launch.connections import ASGIApp

STOP_S = 2.0


async def run(app: ASGIApp, bound: socket.socket, stop: asyncio.Event) -> None:
    """Serve until `stop`, and at most 2 s longer.

    Granian opens its socket itself, so ours, which proved that the address is free, is closed just before. It sends
    no pings of its own.
    """
    host, port = bound.getsockname()[:2]
    bound.close()
    server = Server(app, address=host, port=port, interface=Interfaces.ASGINL, log_enabled=False, backlog=1024)
    task = asyncio.ensure_future(server.serve())
    stopped = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not stop.is_set():
            raise RuntimeError(f"granian stopped listening on {host}:{port}")
        server.stop()  # type: ignore[no-untyped-call]
        await asyncio.wait({task}, timeout=STOP_S)
    finally:
        task.cancel()
        stopped.cancel()
        await asyncio.gather(task, stopped, return_exceptions=True)
