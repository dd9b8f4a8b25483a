"""Blobs in an S3 bucket, or in one of a service that speaks like it. Needs the extra `s3`."""

import contextlib
import hashlib
import logging
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from dispatcher.domain.errors import NotFound, TooLarge, Unavailable
from dispatcher.service.ports import StoredBlob

if TYPE_CHECKING:
    from obstore.store import RetryConfig

log = logging.getLogger(__name__)

_FAULTS = (BaseError, FileNotFoundError)  # the latter also for a bucket that is not there
_RETRIES: "RetryConfig" = {"max_retries": 3, "retry_timeout": timedelta(seconds=20)}


class ObjectBlobs:
    """Keys are the names of the blobs below the bucket's prefix. An object is there whole or not at all; of an upload
    that broke off the service may keep parts, which a lifecycle rule of the bucket removes."""

    def __init__(self, store: S3Store) -> None:
        self._store = store

    async def put(self, blob: str, chunks: AsyncIterable[bytes], *, max_bytes: int) -> StoredBlob:
        measured = _Measured(chunks, max_bytes)
        try:
            await obstore.put_async(self._store, blob, measured.read(), use_multipart=True, max_concurrency=2)
        except _FAULTS as error:
            raise measured.failure or _unavailable(error) from error
        if measured.failure is not None:
            raise measured.failure
        return StoredBlob(measured.size, measured.digest.hexdigest())

    async def open(self, blob: str, *, start: int, length: int) -> AsyncGenerator[bytes, None]:
        if not length:  # no range says so
            return _nothing()
        try:
            found = await obstore.get_async(self._store, blob, options={"range": (start, start + length)})
        except FileNotFoundError:
            raise NotFound("The file is gone") from None
        except BaseError as error:
            raise _unavailable(error) from error
        return _pass_on(found.stream())

    async def delete(self, blob: str) -> None:
        with contextlib.suppress(FileNotFoundError), _reported():  # what is not there is deleted
            await obstore.delete_async(self._store, blob)


class _Measured:
    """Chunks on their way, with their size and digest. What they raise is kept: the library puts it in other words."""

    def __init__(self, chunks: AsyncIterable[bytes], max_bytes: int) -> None:
        self._chunks = chunks
        self._max_bytes = max_bytes
        self.size = 0
        self.digest = hashlib.sha256()
        self.failure: Exception | None = None

    async def read(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._chunks:
                self.size += len(chunk)
                if self.size > self._max_bytes:
                    raise TooLarge(f"The file is larger than the {self._max_bytes} bytes that it may have")
                self.digest.update(chunk)
                yield chunk
        except Exception as error:
            self.failure = error
            raise


async def _pass_on(stream: AsyncIterable[object]) -> AsyncGenerator[bytes, None]:
    with _reported():
        async for chunk in stream:
            yield bytes(memoryview(chunk))  # type: ignore[arg-type]


async def _nothing() -> AsyncGenerator[bytes, None]:
    for chunk in list[bytes]():
        yield chunk


@contextlib.contextmanager
def _reported() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except BaseError as error:
        raise _unavailable(error) from error


def _unavailable(error: Exception) -> Unavailable:
    log.error("the file store fails: %s", type(error).__name__)
    return Unavailable("The file store takes no files now", retry_after_s=30)


def s3_blobs(url: str, endpoint: str) -> ObjectBlobs:
    """At `s3://bucket/prefix`; credentials and region come from the AWS_* variables. `endpoint` is the URL of a service
    other than Amazon's, or empty. Raises ValueError for what is no such URL."""
    try:
        if endpoint:
            plain = endpoint.startswith("http://")
            return ObjectBlobs(
                S3Store.from_url(url, endpoint=endpoint, client_options={"allow_http": plain}, retry_config=_RETRIES)
            )
        return ObjectBlobs(S3Store.from_url(url, retry_config=_RETRIES))
    except BaseError:
        raise ValueError("not an s3:// URL, or not the URL of an endpoint") from None
