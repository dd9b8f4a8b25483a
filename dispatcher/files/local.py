"""Blobs in a directory. Gateways on several machines need one that they share."""

import contextlib
import logging
import os
import re
from collections.abc import AsyncGenerator, AsyncIterable, Iterator
from pathlib import Path

from dispatcher.domain.errors import NotFound, Unavailable
from dispatcher.files.threads import in_thread
from dispatcher.files.writing import PartFile
from dispatcher.service.ports import StoredBlob

log = logging.getLogger(__name__)

GATHER = 1 << 20  # bytes that are written, and read, at once: each time is a hop to another thread
_NAME = re.compile(r"[a-z2-7]{8,64}")


class LocalBlobs:
    """Two levels of directories below `directory`, made when needed. A blob that is not whole has another name."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def put(self, blob: str, chunks: AsyncIterable[bytes], *, max_bytes: int) -> StoredBlob:
        part = PartFile(self._path(blob), max_bytes)
        try:
            with _reported():
                await in_thread(part.create)
            waiting: list[bytes] = []
            size = 0
            async for chunk in chunks:
                waiting.append(chunk)
                size += len(chunk)
                if size >= GATHER:
                    with _reported():
                        await in_thread(part.write, b"".join(waiting))
                    waiting, size = [], 0
            with _reported():
                return await in_thread(part.finish, b"".join(waiting))
        finally:
            part.discard()

    async def open(self, blob: str, *, start: int, length: int) -> AsyncGenerator[bytes, None]:
        path = self._path(blob)
        with _reported():
            there = await in_thread(path.is_file)
        if not there:
            raise NotFound("The file is gone")
        return _read(path, start, length)

    async def delete(self, blob: str) -> None:
        path = self._path(blob)
        with _reported():
            for leftover in (path, PartFile.name_of(path)):
                await in_thread(leftover.unlink, missing_ok=True)

    def _path(self, blob: str) -> Path:
        if _NAME.fullmatch(blob) is None:
            raise ValueError("not the name of a blob")
        return self._directory / blob[:2] / blob[2:4] / blob


async def _read(path: Path, start: int, length: int) -> AsyncGenerator[bytes, None]:
    fd = await in_thread(os.open, path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        while length > 0 and (chunk := await in_thread(os.pread, fd, min(length, GATHER), start)):
            start, length = start + len(chunk), length - len(chunk)
            yield chunk
    finally:
        os.close(fd)


@contextlib.contextmanager
def _reported() -> Iterator[None]:
    """What the file system refuses is a matter for the operator; the caller may try again."""
    try:
        yield
    except OSError as error:
        log.error("the file store fails: %s", error.strerror)
        raise Unavailable("The file store takes no files now", retry_after_s=30) from error
