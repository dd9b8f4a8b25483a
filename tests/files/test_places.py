"""Blobs of some tasks are in a place of their own."""

from collections.abc import AsyncIterator

from dispatcher.files import Places
from tests.support.blobs import MemoryBlobs


async def _one(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def test_a_name_tells_the_place() -> None:
    usual, own = MemoryBlobs(), MemoryBlobs()
    places = Places(usual, {"cloudai": own})
    for blob in ("abc", "cloudai.abc", "jobs.def"):
        await places.put(blob, _one(blob.encode()), max_bytes=99)
    assert (set(usual.kept), set(own.kept)) == ({"abc", "def"}, {"abc"})
    read = b"".join([chunk async for chunk in await places.open("cloudai.abc", start=0, length=99)])
    assert read == b"cloudai.abc"
    await places.delete("cloudai.abc")
    assert (set(usual.kept), set(own.kept)) == ({"abc", "def"}, set())
