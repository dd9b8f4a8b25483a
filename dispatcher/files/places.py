"""Blobs of some tasks apart from all others."""

from collections.abc import AsyncGenerator, AsyncIterable, Mapping

from dispatcher.service.ports import BlobStore, StoredBlob


class Places:
    """Implements `BlobStore`: a blob named `<origin>.<name>` is in the place of that origin, where it has one."""

    def __init__(self, usual: BlobStore, apart: Mapping[str, BlobStore]) -> None:
        self._usual = usual
        self._apart = apart

    async def put(self, blob: str, chunks: AsyncIterable[bytes], *, max_bytes: int) -> StoredBlob:
        place, name = self._at(blob)
        return await place.put(name, chunks, max_bytes=max_bytes)

    async def open(self, blob: str, *, start: int, length: int) -> AsyncGenerator[bytes, None]:
        place, name = self._at(blob)
        return await place.open(name, start=start, length=length)

    async def delete(self, blob: str) -> None:
        place, name = self._at(blob)
        await place.delete(name)

    def _at(self, blob: str) -> tuple[BlobStore, str]:
        origin, _, name = blob.rpartition(".")
        return self._apart.get(origin, self._usual), name
