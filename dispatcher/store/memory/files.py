"""What is known of the files of tasks, in dicts."""

from collections.abc import Iterable, Sequence

from dispatcher.domain.errors import NotFound
from dispatcher.domain.file import FileRecord, FileRoom, NewFile, no_room
from dispatcher.domain.principal import Owner
from dispatcher.domain.reporter import Reporter
from dispatcher.store.memory import reports
from dispatcher.store.memory.state import State
from dispatcher.store.memory.task_rows import TaskRow
from dispatcher.store.refusals import upload_expired


class MemoryFiles:
    """Implements `FileStore`."""

    def __init__(self, state: State) -> None:
        self._s = state
        self._files: dict[str, FileRecord] = {}
        self._facets: dict[str, tuple[str, ...]] = {}  # of the tasks of the files
        self._orphans: dict[str, int] = {}  # blob -> from when it is to be removed

    async def reserve(
        self, task_id: str, by: Reporter, path: str, *, origin: str | None, blob: str, keep_ms: int
    ) -> FileRoom:
        row, _ = reports.at_work(self._s, task_id, by, origin)
        room = self._room(row, path)
        self._orphans[blob] = self._s.now + keep_ms
        return room

    async def put(self, file: NewFile, by: Reporter, *, origin: str | None) -> FileRecord:
        if file.id in self._files:
            return self._files[file.id]
        row, attempt = reports.at_work(self._s, file.task_id, by, origin)
        self._room(row, file.path).check(file.size)
        if self._orphans.get(file.blob, 0) <= self._s.now:  # it is being swept, or was
            raise upload_expired()
        del self._orphans[file.blob]
        self._drop([old for old in self._of(file.task_id) if old.path == file.path])
        record = FileRecord(
            file.id, file.task_id, row.new.origin, row.new.owner, file.path, file.size, file.content_type, file.sha256,
            file.blob, attempt.fence, self._s.now,
        )  # fmt: skip
        self._files[file.id], self._facets[file.id] = record, row.new.facets
        return record

    def _room(self, row: TaskRow, path: str) -> FileRoom:
        options = self._s.options
        others = [file for file in self._of(row.id) if file.path != path]
        old = sum(file.size for file in self._of(row.id)) - sum(file.size for file in others)
        tenant = sum(file.size for file in self._files.values() if file.owner.tenant == row.new.owner.tenant) - old
        if len(others) >= options.files_max:
            raise no_room()
        left = options.task_bytes_max - sum(file.size for file in others)
        room = FileRoom(min(options.file_bytes_max, left), options.tenant_files_max - tenant)
        room.check(1)
        return room

    async def get(self, task_id: str, path: str) -> FileRecord | None:
        return next((file for file in self._of(task_id) if file.path == path), None)

    async def of_task(self, task_id: str) -> list[FileRecord]:
        return sorted(self._of(task_id), key=lambda file: file.path)

    async def find(
        self, origin: str, owner: Owner | None, *, offset: int, limit: int, facet: str = ""
    ) -> tuple[list[FileRecord], int]:
        mine = [
            file
            for file in self._files.values()
            if file.origin == origin and owner in (None, file.owner) and (not facet or facet in self._facets[file.id])
        ]
        mine.sort(key=lambda file: (file.created_ms, file.id), reverse=True)
        return mine[offset : offset + limit], len(mine)

    async def delete(self, task_id: str, path: str | None, *, origin: str, owner: Owner | None) -> None:
        row = self._s.task(task_id)
        if row.new.origin != origin or owner not in (None, row.new.owner):
            raise NotFound(f"Task not found: {task_id}")
        files = [file for file in self._of(task_id) if path in (None, file.path)]
        if path is not None and not files:
            raise NotFound(f"File not found: {path}")
        self._drop(files)

    async def orphans(self, *, limit: int = 64) -> list[str]:
        self._drop([file for file in self._files.values() if file.task_id not in self._s.tasks][:limit])
        due = sorted((ms, blob) for blob, ms in self._orphans.items() if ms <= self._s.now)
        return [blob for _, blob in due[:limit]]

    async def forget(self, blobs: Sequence[str]) -> None:
        for blob in blobs:
            self._orphans.pop(blob, None)

    def _of(self, task_id: str) -> list[FileRecord]:
        return [file for file in self._files.values() if file.task_id == task_id]

    def _drop(self, files: Iterable[FileRecord]) -> None:
        for file in files:
            del self._files[file.id], self._facets[file.id]
            self._orphans[file.blob] = self._s.now
