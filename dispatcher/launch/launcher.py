"""From the first signal to the end of the process.

SIGTERM, SIGINT   not ready any more (`begin_drain`), still accepting
+ drain_delay     no new work; running calls end (`drain`)
then              event streams and sockets are closed, open requests get their answers
+ drain_timeout   who still waits for a task is answered with what there is, within a second; the servers stop
+ 5 s             the watchdog ends the process, whatever hangs
second signal     the end within a second
"""

import asyncio
import importlib.util
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any, Protocol

from dispatcher.launch.connections import ASGIApp, Connections
from dispatcher.launch.signals import stop_signals, watchdog
from dispatcher.launch.sockets import bind, until_answering

WATCHDOG_S = 5.0
LAST_ANSWERS_S = 1.0
HAND_BACK_S = 5.0  # of the drain timeout, for giving back what did not end


class Drainable(Protocol):
    """What is served, as far as stopping it goes."""

    def begin_drain(self) -> None:
        """Tell load balancers to look elsewhere; go on working."""
        ...

    async def drain(self, timeout_s: float) -> None:
        """Take no more work and let the running work end, or hand it back after `timeout_s`."""
        ...

    def end_waits(self) -> None:
        """Answer those who still wait for something with what there is."""
        ...


@dataclass(frozen=True, slots=True)
class Listen:
    """An app and where it listens. Port 0 takes a free one."""

    app: ASGIApp
    host: str = "127.0.0.1"
    port: int = 8787


@dataclass(frozen=True, slots=True)
class Options:
    """Seconds, and the server: "hypercorn", "granian", or "auto" for granian when it is installed."""

    engine: str = "auto"
    drain_delay_s: float = 0.0
    drain_timeout_s: float = 30.0
    ping_interval_s: float = 20.0


async def launch(
    listens: Sequence[Listen],
    drainable: Drainable,
    options: Options,
    *,
    on_ready: Callable[[list[tuple[str, int]]], Awaitable[None]],
) -> None:
    """Serve until a signal says stop, then stop in order. `on_ready` gets the addresses once all of them answer.

    Must run in the main thread. Raises PortInUse before anything is served.
    """
    sockets = _bind_all(listens)
    addresses = [(str(one.getsockname()[0]), int(one.getsockname()[1])) for one in sockets]
    stop = asyncio.Event()
    connections = [Connections(listen.app) for listen in listens]
    async with stop_signals() as (first, second):
        servers = [
            asyncio.ensure_future(_run(engine_named(options.engine), app, bound, stop, options))
            for app, bound in zip(connections, sockets, strict=True)
        ]
        asked = asyncio.ensure_future(first.wait())
        try:
            for host, port in addresses:
                await _unless_failed(servers, until_answering(host, port))
            await on_ready(addresses)
            await _unless_failed(servers, asked)
            watchdog(options.drain_delay_s + options.drain_timeout_s + WATCHDOG_S)
            drain = asyncio.ensure_future(_drain(drainable, connections, options))
            hurry = asyncio.ensure_future(second.wait())
            await asyncio.wait({drain, hurry}, return_when=asyncio.FIRST_COMPLETED)
            for pending in (drain, hurry):
                pending.cancel()
            await asyncio.gather(drain, hurry, return_exceptions=True)
        finally:
            stop.set()
            asked.cancel()
            await asyncio.gather(*servers, asked, return_exceptions=True)


def engine_named(name: str) -> str:
    """The server that a configured name stands for."""
    if name == "auto":
        return "granian" if importlib.util.find_spec("granian") else "hypercorn"
    return name


def _bind_all(listens: Sequence[Listen]) -> list[socket.socket]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(bind(listen.host, listen.port)) for listen in listens]
        stack.pop_all()
        return sockets


async def _run(engine: str, app: ASGIApp, bound: socket.socket, stop: asyncio.Event, options: Options) -> None:
    # Imported here: each costs a tenth of a second, and granian may not be there.
    if engine == "granian":
        from dispatcher.launch import on_granian

        await on_granian.run(app, bound, stop)
    else:
        from dispatcher.launch import on_hypercorn

        await on_hypercorn.run(app, bound, stop, ping_interval_s=options.ping_interval_s)


async def _unless_failed(servers: Sequence["asyncio.Future[None]"], awaited: Awaitable[object]) -> None:
    """Wait for something, but not longer than the servers run; a server's error is raised."""
    waiting = asyncio.ensure_future(awaited)
    running: set[asyncio.Future[Any]] = {*servers, waiting}
    await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    if not waiting.done():
        waiting.cancel()
        for server in servers:
            if server.done():
                server.result()
        raise RuntimeError("the server ended without being asked to")
    await waiting


async def _drain(drainable: Drainable, connections: Sequence[Connections], options: Options) -> None:
    drainable.begin_drain()
    await asyncio.sleep(options.drain_delay_s)
    try:
        async with asyncio.timeout(options.drain_timeout_s):
            await drainable.drain(options.drain_timeout_s - min(HAND_BACK_S, options.drain_timeout_s / 4))
            for app in connections:
                app.end_streams()
            for app in connections:
                await app.wait_idle()
    except TimeoutError:
        drainable.end_waits()
        for app in connections:
            app.end_streams()
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_ANSWERS_S):
                for app in connections:
                    await app.wait_idle()
