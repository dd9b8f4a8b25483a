"""Reads what a task says, line by line, no faster than there is room for it."""

import asyncio
import codecs
import os
from collections.abc import Awaitable, Callable
from typing import Protocol

CHUNK = 16_384
MOST_IN_PIPE = 1 << 20  # bytes, as far as a task may widen it
LONGEST = 4_000  # characters; a longer line is told in parts, each within what the gateway takes (16 KiB)

Room = Callable[[], Awaitable[None]]


class Write(Protocol):
    def __call__(self, text: str, partial: bool = False, /) -> object:
        """A line, or a part of one that goes on in the next text."""


class Pieces:
    """Makes lines of bytes. What is no UTF-8 is replaced (U+FFFD)."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def take(self, data: bytes, *, last: bool = False) -> None:
        *whole, self._rest = (self._rest + self._decoder.decode(data, last)).split("\n")
        for line in whole:
            self._put(line.removesuffix("\r"))
        while len(self._rest) > LONGEST:
            self._write(self._rest[:LONGEST], True)
            self._rest = self._rest[LONGEST:]

    def end(self) -> None:
        """Hand on what there is of a last line."""
        self.take(b"", last=True)
        if self._rest:
            self._write(self._rest)

    def _put(self, line: str) -> None:
        for at in range(0, max(1, len(line)), LONGEST):
            self._write(line[at : at + LONGEST], at + LONGEST < len(line))


class Lines:
    """Reads a pipe in the event loop until its end or `close`. Nothing is read until `room` returns: with a full pipe
    the writer waits too."""

    def __init__(self, pipe: int, write: Write, room: Room) -> None:
        self._pipe = pipe
        self._room = room
        self._waiting: asyncio.Task[None] | None = None
        self._pieces = Pieces(write)
        self._loop = asyncio.get_running_loop()
        self.ended = asyncio.Event()
        os.set_blocking(pipe, False)
        self._loop.add_reader(pipe, self._read)

    def close(self) -> None:
        """Read no more."""
        if not self.ended.is_set():
            self.ended.set()
            if self._waiting is not None:
                self._waiting.cancel()
            self._loop.remove_reader(self._pipe)
            os.close(self._pipe)
            self._pieces.end()

    def take_rest(self) -> None:
        """Hand on what is in the pipe now, room or not: its writer has ended, or begins with something else."""
        for _ in range(MOST_IN_PIPE // CHUNK + 1):
            if self.ended.is_set() or not self._take():
                break
        if self._waiting is not None and not self.ended.is_set():
            self._waiting.cancel()
            self._loop.add_reader(self._pipe, self._read)

    def _read(self) -> None:
        if self._take() and not self.ended.is_set():
            self._loop.remove_reader(self._pipe)
            self._waiting = self._loop.create_task(self._go_on())

    def _take(self) -> bool:
        """Whether there was something, be it the end."""
        try:
            data = os.read(self._pipe, CHUNK)
        except BlockingIOError:
            return False
        if data:
            self._pieces.take(data)
        else:
            self.close()
        return True

    async def _go_on(self) -> None:
        await self._room()
        self._loop.add_reader(self._pipe, self._read)
