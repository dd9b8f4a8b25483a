"""Blobs in a bucket, on an S3 service that runs here."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import aclosing

import boto3
import pytest
from moto.server import ThreadedMotoServer

from dispatcher.domain.errors import NotFound, TooLarge, Unavailable
from dispatcher.files import blobs_at
from dispatcher.service.ports import BlobStore
from tests.files.test_local import in_pieces, some

BUCKET, PREFIX = "files-of-tasks", "some/where"
DATA = os.urandom((5 << 20) + 17)  # more than one part


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patched:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patched.setenv(name, "anything")
        patched.setenv("AWS_REGION", "us-east-1")
        boto3.client("s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1").create_bucket(Bucket=BUCKET)
        yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def blobs(endpoint: str) -> BlobStore:
    return blobs_at(f"s3://{BUCKET}/{PREFIX}", endpoint=endpoint)


def kept(endpoint: str) -> tuple[list[str], int]:
    """The keys in the bucket, and how many uploads were begun and not ended."""
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
    keys = [item["Key"] for item in client.list_objects(Bucket=BUCKET).get("Contents", [])]
    return keys, len(client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []))


async def test_what_was_put_is_read_by_parts(blobs: BlobStore, endpoint: str) -> None:
    stored = await blobs.put("whole", in_pieces(DATA), max_bytes=len(DATA))
    assert (stored.size, stored.sha256) == (len(DATA), hashlib.sha256(DATA).hexdigest())
    assert kept(endpoint) == ([f"{PREFIX}/whole"], 0)
    async with aclosing(await blobs.open("whole", start=5, length=len(DATA) - 9)) as chunks:
        assert b"".join([chunk async for chunk in chunks]) == DATA[5:-4]
    for _ in range(2):
        await blobs.delete("whole")
    assert kept(endpoint) == ([], 0)


async def test_an_empty_file_is_one(blobs: BlobStore, endpoint: str) -> None:
    assert (await blobs.put("empty", some(), max_bytes=1)).size == 0
    assert kept(endpoint)[0] == [f"{PREFIX}/empty"]
    assert [chunk async for chunk in await blobs.open("empty", start=0, length=0)] == []
    await blobs.delete("empty")


async def test_what_is_not_taken_in_leaves_nothing(blobs: BlobStore, endpoint: str) -> None:
    with pytest.raises(TooLarge):
        await blobs.put("large", in_pieces(DATA), max_bytes=len(DATA) - 1)
    with pytest.raises(ZeroDivisionError):
        await blobs.put("broken", some(DATA, error=ZeroDivisionError()), max_bytes=len(DATA))
    assert kept(endpoint) == ([], 0)
    with pytest.raises(NotFound):
        await blobs.open("large", start=0, length=1)


async def test_a_bucket_that_is_not_there(endpoint: str) -> None:
    with pytest.raises(Unavailable):
        await blobs_at("s3://nowhere", endpoint=endpoint).put("a", some(b"x"), max_bytes=1)
