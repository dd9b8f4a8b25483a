"""Files of tasks: uploaded by the attempt at work, downloaded and deleted by their owner."""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Collection
from contextlib import suppress

from dispatcher.domain.errors import DispatchError, NotFound, Unavailable, UploadExpired
from dispatcher.domain.file import FileRecord, FileRoom, NewFile, relative_path
from dispatcher.domain.ids import is_id, new_blob_id, new_file_id
from dispatcher.domain.principal import Owner, Principal
from dispatcher.domain.reporter import Reporter
from dispatcher.service.ports import BlobStore, FileStore
from dispatcher.service.tasks import Tasks

SWEEP = 64


class Files:
    """A file of another origin's or owner's task does not exist for the caller; an admin sees all of the origin.

    `keep_ms` is the longest that an upload may take. Blobs of the origins `apart` tell whose they are.
    """

    def __init__(
        self,
        files: FileStore,
        blobs: BlobStore,
        tasks: Tasks,
        *,
        keep_ms: int = 86_400_000,
        apart: Collection[str] = (),
    ) -> None:
        self._files = files
        self._blobs = blobs
        self._tasks = tasks
        self._keep_ms = keep_ms
        self._apart = apart

    async def upload(
        self,
        task_id: str,
        path: str,
        chunks: AsyncIterable[bytes],
        *,
        content_type: str,
        origin: str | None,
        by: Reporter,
        declared: int = 0,
    ) -> FileRecord:
        """Take in a file of the current attempt, in the place of an older one with its path; with `origin` None
        of a task of any. One that has no room by its `declared` number of bytes is refused before any is read.

        Raises Invalid (path); NotFound, StaleAttempt, Forbidden, IllegalState, AlreadyEnded; QuotaExceeded; TooLarge;
        Unavailable; and what `chunks` raise. Whatever it raises, nothing was taken in.
        """
        path = relative_path(path)
        if not is_id(task_id):
            raise _not_found(task_id)
        blob = await self._new_blob(task_id, origin)
        room = await self._files.reserve(task_id, by, path, origin=origin, blob=blob, keep_ms=self._keep_ms)
        try:
            room.check(declared)
            stored = await self._blobs.put(blob, _within(room, chunks), max_bytes=room.most)
        except Unavailable:  # it may be stored all the same: the orphans will tell
            raise
        except BaseException:
            await self._discard(blob)
            raise
        file = NewFile(new_file_id(), task_id, path, stored.size, content_type, stored.sha256, blob)
        try:
            return await self._files.put(file, by, origin=origin)
        except DispatchError as refused:
            if not isinstance(refused, Unavailable) or isinstance(refused, UploadExpired):
                await self._discard(blob)  # else it may be recorded all the same: the orphans will tell
            raise

    async def of_task(self, principal: Principal, task_id: str, *, origin: str) -> list[FileRecord]:
        """By path. Raises NotFound."""
        await self._tasks.get(principal, task_id, origin=origin)
        return await self._files.of_task(task_id)

    async def find(
        self,
        principal: Principal,
        *,
        origin: str,
        offset: int = 0,
        limit: int = 100,
        everybody: bool = False,
        facet: str = "",
    ) -> tuple[list[FileRecord], int]:
        """A page of the principal's files, or (admins) of everybody's, newest first, and how many there are; with
        `facet` only those of tasks that have it."""
        owner = None if everybody and principal.is_admin else principal.owner
        return await self._files.find(origin, owner, offset=offset, limit=limit, facet=facet)

    async def get(self, principal: Principal, task_id: str, path: str, *, origin: str) -> FileRecord:
        """Raises NotFound, Invalid (path)."""
        path = relative_path(path)
        await self._tasks.get(principal, task_id, origin=origin)
        record = await self._files.get(task_id, path)
        if record is None:
            raise NotFound(f"File not found: {path}")
        return record

    async def read(
        self, record: FileRecord, *, start: int = 0, length: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        """Bytes of a file; the caller closes the generator. Raises NotFound, Unavailable."""
        return await self._blobs.open(record.blob, start=start, length=record.size if length is None else length)

    async def delete(self, principal: Principal, task_id: str, path: str | None = None, *, origin: str) -> None:
        """Delete a file of a task, or all. Raises NotFound, Invalid (path)."""
        name = None if path is None else relative_path(path)
        if not is_id(task_id):
            raise _not_found(task_id)
        await self._files.delete(task_id, name, origin=origin, owner=_owner(principal))

    async def sweep(self) -> int:
        """Remove blobs that belong to no file any more; answers how many. For any gateway, at any time."""
        swept = 0
        while True:
            orphans = await self._files.orphans(limit=SWEEP)
            for blob in orphans:
                await self._blobs.delete(blob)
            if orphans:
                await self._files.forget(orphans)
            swept += len(orphans)
            if len(orphans) < SWEEP:
                return swept

    async def _discard(self, blob: str) -> None:
        """Bytes that no record will name."""
        with suppress(DispatchError):  # then it stays an orphan
            await self._blobs.delete(blob)
            await self._files.forget([blob])

    async def _new_blob(self, task_id: str, origin: str | None) -> str:
        if self._apart and origin is None:
            origin = await self._tasks.origin_of(task_id)
        return f"{origin}.{new_blob_id()}" if origin in self._apart else new_blob_id()


def _owner(principal: Principal) -> Owner | None:
    return None if principal.is_admin else principal.owner


def _not_found(task_id: str) -> NotFound:
    return NotFound(f"Task not found: {task_id[:80]}")


async def _within(room: FileRoom, chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """What comes, as far as there is room. Raises as `FileRoom.check`."""
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        room.check(size)
        yield chunk
