"""Takes what a container says, in a thread, no faster than there is room for it."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import Any

from docker.errors import DockerException

from dispatcher.agent.attempt import Attempt
from dispatcher.agent.lines import Pieces

ERRORS = (DockerException, OSError)  # the engine's, and of the connection to it

Part = tuple[str, bool]  # a text, and whether its line goes on


def follow(container: Any, stream: str, hand_on: Callable[[list[Part]], None]) -> None:
    """Hand on the lines of a stream until its end."""
    lines: list[Part] = []
    pieces = Pieces(lambda text, partial=False: lines.append((text, partial)))
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


def say(loop: asyncio.AbstractEventLoop, attempt: Attempt, stream: str, lines: list[Part]) -> None:
    """From another thread; waits for room."""
    if lines and not loop.is_closed():  # else nobody listens any more
        with suppress(CancelledError):
            asyncio.run_coroutine_threadsafe(_written(attempt, stream, lines), loop).result()


async def _written(attempt: Attempt, stream: str, lines: list[Part]) -> None:
    await attempt.log.room()
    for text, partial in lines:
        attempt.log.write(stream, text, partial)
