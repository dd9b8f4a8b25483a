"""What is known of the files of tasks, and where their bytes are."""

from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from dispatcher.domain.file import FileRecord, FileRoom, NewFile
from dispatcher.domain.principal import Owner
from dispatcher.domain.reporter import Reporter


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """What arrived: its bytes and their SHA-256 in hexadecimal."""

    size: int
    sha256: str


class BlobStore(Protocol):
    """Bytes under names that the gateway makes (`new_blob_id`). All gateways see the same ones."""

    async def put(self, blob: str, chunks: AsyncIterable[bytes], *, max_bytes: int) -> StoredBlob:
        """Store what comes, durably and whole, or leave nothing behind: also when `chunks` raise.
        Raises TooLarge, Unavailable."""
        ...

    async def open(self, blob: str, *, start: int, length: int) -> AsyncGenerator[bytes, None]:
        """A part of it; the caller closes the generator. Raises NotFound, Unavailable."""
        ...

    async def delete(self, blob: str) -> None:
        """Remove it, or what is there of it; without effect when there is nothing. Raises Unavailable."""
        ...


class FileStore(Protocol):
    """Records of files. A task's path names one file. Where a blob may be left over its name is kept: as an orphan."""

    async def reserve(
        self, task_id: str, by: Reporter, path: str, *, origin: str | None, blob: str, keep_ms: int
    ) -> FileRoom:
        """Announce an upload by the current attempt; answers how many bytes it may have (>= 1). If no `put`
        follows within `keep_ms`, the blob is an orphan. `origin` None: the task may be of any.

        Raises NotFound, StaleAttempt, Forbidden, IllegalState, AlreadyEnded; as `FileRoom.check`, and
        QuotaExceeded for too many files.
        """
        ...

    async def put(self, file: NewFile, by: Reporter, *, origin: str | None) -> FileRecord:
        """Record an upload that is done, in the place of an older file with its path, whose blob becomes an orphan.
        Raises as `reserve`; Unavailable when its time is over."""
        ...

    async def get(self, task_id: str, path: str) -> FileRecord | None: ...

    async def of_task(self, task_id: str) -> list[FileRecord]:
        """By path."""
        ...

    async def find(
        self, origin: str, owner: Owner | None, *, offset: int, limit: int, facet: str = ""
    ) -> tuple[list[FileRecord], int]:
        """A page of an owner's files (None: everybody's), newest first, and how many there are; with `facet` only those
        of tasks that have it."""
        ...

    async def delete(self, task_id: str, path: str | None, *, origin: str, owner: Owner | None) -> None:
        """Remove one file of a task, or all; their blobs become orphans. `owner` None = an admin.
        Raises NotFound: no such task, somebody else's, no such path."""
        ...

    async def orphans(self, *, limit: int = 64) -> list[str]:
        """Blobs that belong to no file: of deleted and replaced ones, of removed tasks, of uploads that came to
        nothing. Each is named until it is forgotten."""
        ...

    async def forget(self, blobs: Sequence[str]) -> None:
        """These orphans are gone."""
        ...
