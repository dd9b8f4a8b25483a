"""Blobs in a directory: whole or not at all, and read by parts."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dispatcher.domain.errors import NotFound, TooLarge, Unavailable
from dispatcher.domain.ids import new_blob_id
from dispatcher.files import LocalBlobs
from dispatcher.files.local import GATHER

DATA = os.urandom(3 * GATHER + 17)
BLOB = new_blob_id()


async def some(*chunks: bytes, error: Exception | None = None) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk
    if error is not None:
        raise error


def in_pieces(data: bytes, size: int = 65_536) -> AsyncIterator[bytes]:
    return some(*(data[at : at + size] for at in range(0, len(data), size)))


def left(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]


async def read(blobs: LocalBlobs, start: int = 0, length: int = len(DATA)) -> bytes:
    return b"".join([chunk async for chunk in await blobs.open(BLOB, start=start, length=length)])


async def test_what_was_put_is_read_by_parts(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path / "new")
    stored = await blobs.put(BLOB, in_pieces(DATA), max_bytes=len(DATA))
    assert (stored.size, stored.sha256) == (len(DATA), hashlib.sha256(DATA).hexdigest())
    assert await read(blobs) == DATA
    assert await read(blobs, 5, GATHER + 9) == DATA[5 : GATHER + 14]
    assert await read(blobs, len(DATA) - 3, 99) == DATA[-3:]
    (path,) = left(tmp_path)
    assert path.relative_to(tmp_path / "new").parts == (BLOB[:2], BLOB[2:4], BLOB)
    assert path.stat().st_mode & 0o777 == 0o600


async def test_an_empty_file_is_one(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path)
    assert (await blobs.put(BLOB, some(), max_bytes=1)).size == 0
    assert await read(blobs) == b""


async def test_too_large_leaves_nothing(tmp_path: Path) -> None:
    for data in (b"x" * 11, b"x" * (GATHER + 1)):
        with pytest.raises(TooLarge):
            await LocalBlobs(tmp_path).put(BLOB, some(data), max_bytes=10)
    assert left(tmp_path) == []


async def test_a_broken_upload_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        await LocalBlobs(tmp_path).put(BLOB, some(b"x" * GATHER, error=ZeroDivisionError()), max_bytes=GATHER)
    assert left(tmp_path) == []


async def test_a_cancelled_upload_leaves_nothing(tmp_path: Path) -> None:
    for after in range(12):  # wherever it is
        putting = asyncio.create_task(LocalBlobs(tmp_path).put(BLOB, in_pieces(DATA), max_bytes=len(DATA)))
        for _ in range(after):
            await asyncio.sleep(0)
        putting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await putting
        assert left(tmp_path) == []


async def test_nobody_writes_over_another(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path)
    path = tmp_path / BLOB[:2] / BLOB[2:4] / f"{BLOB}.part"
    path.parent.mkdir(parents=True)
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Unavailable):
        await blobs.put(BLOB, some(b"x"), max_bytes=1)
    assert not (tmp_path / "elsewhere").exists()


async def test_deleting_removes_what_is_there(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path)
    await blobs.delete(BLOB)
    await blobs.put(BLOB, some(b"x"), max_bytes=1)
    (path,) = left(tmp_path)
    path.with_name(f"{BLOB}.part").write_bytes(b"of a gateway that was killed")
    await blobs.delete(BLOB)
    assert left(tmp_path) == []
    with pytest.raises(NotFound):
        await blobs.open(BLOB, start=0, length=1)


async def test_a_place_that_cannot_be_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Unavailable):
        await LocalBlobs(tmp_path / "file").put(BLOB, some(b"x"), max_bytes=1)
    assert "Not a directory" in caplog.text


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "abc", "a/bcdefghijk", "ABCDEFGHIJK"])
async def test_only_names_that_the_gateway_makes(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="not the name of a blob"):
        await LocalBlobs(tmp_path).delete(name)
