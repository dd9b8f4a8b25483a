"""Takes what a container says, in a thread, no faster than there is room for it."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import Any

from dispatcher.agent.attempt import Attempt
from dispatcher.agent.lines import Pieces
from dispatcher.agent.runners.engine import ERRORS


def follow(container: Any, stream: str, hand_on: Callable[[list[str]], None]) -> None:
    """Hand on the lines of a stream until its end."""
    lines: list[str] = []
    pieces = Pieces(lines.append)
    with suppress(*ERRORS):
        chunks: Iterator[bytes] = container.logs(
            stdout=stream == "stdout", stderr=stream == "stderr", stream=True, follow=True
        )
        for chunk in chunks:
            pieces.take(chunk)
            hand_on(lines)
            lines.clear()
    pieces.end()
    hand_on(lines)


def say(loop: asyncio.AbstractEventLoop, attempt: Attempt, stream: str, lines: list[str]) -> None:
    """From another thread; waits for room."""
    if lines and not loop.is_closed():  # else nobody listens any more
        with suppress(CancelledError):
            asyncio.run_coroutine_threadsafe(_written(attempt, stream, lines), loop).result()


async def _written(attempt: Attempt, stream: str, lines: list[str]) -> None:
    await attempt.log.room()
    for text in lines:
        attempt.log.write(stream, text)
