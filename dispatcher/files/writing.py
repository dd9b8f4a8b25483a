"""A file that is being written: under a name of its own until it is whole and durable. Blocking calls."""

import hashlib
import os
from pathlib import Path

from dispatcher.domain.errors import TooLarge
from dispatcher.service.ports import StoredBlob

_CLOSED = -1


class PartFile:
    """At most `max_bytes` long. `discard` removes what was not finished."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._size = 0
        self._digest = hashlib.sha256()
        self._fd = _CLOSED

    @staticmethod
    def name_of(path: Path) -> Path:
        return path.with_name(path.name + ".part")

    def create(self) -> None:
        """Raises OSError: also when somebody writes it already."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self._fd = os.open(self.name_of(self._path), flags, 0o600)

    def write(self, data: bytes) -> None:
        """After `create`. Raises TooLarge, OSError."""
        self._size += len(data)
        if self._size > self._max_bytes:
            raise TooLarge(f"The file is larger than the {self._max_bytes} bytes that it may have")
        self._digest.update(data)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._fd, rest) :]

    def finish(self, data: bytes) -> StoredBlob:
        """Write the rest and give the file its name, so that neither a crash nor a power cut takes it. Raises as
        `write`."""
        self.write(data)
        os.fsync(self._fd)
        os.rename(self.name_of(self._path), self._path)
        directory = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        self._close()
        return StoredBlob(self._size, self._digest.hexdigest())

    def discard(self) -> None:
        """Without effect when it is finished."""
        if self._fd != _CLOSED:
            self._close()
            self.name_of(self._path).unlink(missing_ok=True)

    def _close(self) -> None:
        os.close(self._fd)
        self._fd = _CLOSED
