"""The signals that ask a process to stop, and the clock that makes sure of it."""

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

HURRY_S = 0.9
SIGNALS = (signal.SIGTERM, signal.SIGINT)


@asynccontextmanager
async def stop_signals() -> AsyncIterator[tuple[asyncio.Event, asyncio.Event]]:
    """Events for the first and the second signal; after the second the process has less than a second."""
    first, second = asyncio.Event(), asyncio.Event()

    def received() -> None:
        if first.is_set():
            second.set()
            watchdog(HURRY_S)
        first.set()

    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, received)
    try:
        yield first, second
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)


def watchdog(seconds: float) -> None:
    """End this process in `seconds`, whatever it is doing then; a process that ends before never notices."""
    timer = threading.Timer(seconds, os._exit, (1,))
    timer.daemon = True
    timer.start()
