"""Takes what a container says, in a thread, no faster than there is room for it."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import suppress
from datetime import datetime
from typing import Any

from dispatcher.agent.attempt import Attempt
from dispatcher.agent.lines import Pieces
from dispatcher.agent.runners.engine import ERRORS

Part = tuple[str, bool]  # a text, and whether its line goes on


class Output:
    """A stream of a container, by the engine's log. The log is read with the time of each entry, so that what an engine
    has not told by the end of `follow` can be asked for: they may close it before they have written the last words."""

    def __init__(self, container: Any, stream: str, hand_on: Callable[[list[Part]], None]) -> None:
        self._container = container
        self._stream = stream
        self._hand_on = hand_on
        self._lines: list[Part] = []
        self._pieces = Pieces(lambda text, partial=False: self._lines.append((text, partial)))
        self._newest = b""  # the time of the last entry, and how many had it: the pieces of a long line share it
        self._alike = 0

    def follow(self) -> None:
        """Hand on lines until the engine ends the stream."""
        with suppress(*ERRORS):
            for time, data in self._entries(follow=True):
                self._take(time, data)

    def finish(self) -> None:
        """The rest, once the container has ended."""
        newest, alike = self._newest, self._alike
        with suppress(*ERRORS):
            since = int(datetime.fromisoformat(newest.decode()).timestamp()) if newest else None
            for time, data in self._entries(follow=False, since=since):
                if time == newest and alike > 0:
                    alike -= 1
                elif time >= newest:
                    self._take(time, data)
        self._pieces.end()
        self._flush()

    def _entries(self, *, follow: bool, since: int | None = None) -> Iterator[tuple[bytes, bytes]]:
        """(time, data); `since` in epoch seconds."""
        wanted = {"stdout": self._stream == "stdout", "stderr": self._stream == "stderr"}
        for entry in self._container.logs(**wanted, stream=True, timestamps=True, follow=follow, since=since):
            time, _, data = entry.partition(b" ")
            yield time, data

    def _take(self, time: bytes, data: bytes) -> None:
        self._alike = self._alike + 1 if time == self._newest else 1
        self._newest = time
        self._pieces.take(data)
        self._flush()

    def _flush(self) -> None:
        self._hand_on(self._lines)
        self._lines.clear()


def say(loop: asyncio.AbstractEventLoop, attempt: Attempt, stream: str, lines: list[Part]) -> None:
    """From another thread; waits for room."""
    if lines and not loop.is_closed():  # else nobody listens any more
        with suppress(CancelledError):
            asyncio.run_coroutine_threadsafe(_written(attempt, stream, lines), loop).result()


async def _written(attempt: Attempt, stream: str, lines: list[Part]) -> None:
    await attempt.log.room()
    for text, partial in lines:
        attempt.log.write(stream, text, partial)
