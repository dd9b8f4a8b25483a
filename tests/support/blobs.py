"""A blob store in a dict."""

import hashlib
from collections.abc import AsyncGenerator, AsyncIterable

from dispatcher.domain.errors import NotFound, TooLarge
from dispatcher.service.ports import StoredBlob


class MemoryBlobs:
    """Implements `BlobStore`."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    async def put(self, blob: str, chunks: AsyncIterable[bytes], *, max_bytes: int) -> StoredBlob:
        data = b"".join([chunk async for chunk in chunks])
        if len(data) > max_bytes:
            raise TooLarge("too large")
        self.kept[blob] = data
        return StoredBlob(len(data), hashlib.sha256(data).hexdigest())

    async def open(self, blob: str, *, start: int, length: int) -> AsyncGenerator[bytes, None]:
        if blob not in self.kept:
            raise NotFound("gone")
        return self._read(self.kept[blob][start : start + length])

    async def _read(self, data: bytes) -> AsyncGenerator[bytes, None]:
        for at in range(0, len(data), 5):
            yield data[at : at + 5]

    async def delete(self, blob: str) -> None:
        self.kept.pop(blob, None)
