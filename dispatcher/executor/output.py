"""What a process says: the beginning is kept, all of it is read, so that the process never waits for us."""

import asyncio
import os

from dispatcher.executor.options import OUTPUT_KEPT

CHUNK = 65_536
_WIDEST = 4  # bytes of a character in UTF-8


class Capture:
    """Reads a pipe in the event loop until its end or `close`."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._kept = bytearray()
        self._loop = asyncio.get_running_loop()
        self.ended = asyncio.Event()
        os.set_blocking(pipe, False)
        self._loop.add_reader(pipe, self._read)

    @property
    def text(self) -> str:
        return shortened(bytes(self._kept))

    def close(self) -> None:
        if not self.ended.is_set():
            self.ended.set()
            self._loop.remove_reader(self._pipe)
            os.close(self._pipe)

    def _read(self) -> None:
        try:
            data = os.read(self._pipe, CHUNK)
        except BlockingIOError:
            return
        room = OUTPUT_KEPT + _WIDEST - len(self._kept)
        self._kept += data[: max(0, room)]
        if not data:
            self.close()


def shortened(data: bytes) -> str:
    """The first 1,048,576 bytes as UTF-8, and when there is more, at least one character of that: the queue keeps what
    we keep, cuts by itself, and says so. What is no UTF-8 is replaced (U+FFFD)."""
    text = data[: OUTPUT_KEPT + _WIDEST].decode("utf-8", "replace").encode()
    return text[: OUTPUT_KEPT + _WIDEST].decode("utf-8", "ignore")
