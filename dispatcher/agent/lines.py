"""Reads what a task says, line by line, so that it never waits for us."""

import asyncio
import codecs
import os
from collections.abc import Callable

CHUNK = 65_536
LONGEST = 4_000  # characters; a longer line becomes several, each within what the gateway takes (16 KiB)

Write = Callable[[str], None]


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
            self._write(self._rest[:LONGEST])
            self._rest = self._rest[LONGEST:]

    def end(self) -> None:
        """Hand on what there is of a last line."""
        self.take(b"", last=True)
        if self._rest:
            self._write(self._rest)

    def _put(self, line: str) -> None:
        for at in range(0, max(1, len(line)), LONGEST):
            self._write(line[at : at + LONGEST])


class Lines:
    """Reads a pipe in the event loop until its end or `close`."""

    def __init__(self, pipe: int, write: Write) -> None:
        self._pipe = pipe
        self._pieces = Pieces(write)
        self._loop = asyncio.get_running_loop()
        self.ended = asyncio.Event()
        os.set_blocking(pipe, False)
        self._loop.add_reader(pipe, self._read)

    def close(self) -> None:
        """Read no more."""
        if not self.ended.is_set():
            self.ended.set()
            self._loop.remove_reader(self._pipe)
            os.close(self._pipe)
            self._pieces.end()

    def _read(self) -> None:
        try:
            data = os.read(self._pipe, CHUNK)
        except BlockingIOError:
            return
        if data:
            self._pieces.take(data)
        else:
            self.close()
