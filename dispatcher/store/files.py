"""What is known of the files of tasks, in Redis. Implements `service.ports.FileStore`."""

from collections.abc import Sequence

from dispatcher.domain import errors
from dispatcher.domain.file import FileRecord, FileRoom, NewFile, no_room, too_large
from dispatcher.domain.principal import Owner
from dispatcher.domain.reporter import Reporter
from dispatcher.store import codec
from dispatcher.store.refusals import not_found, refuse_report, upload_expired
from dispatcher.store.runner import Reply, Runner

_PER_CALL = 64


class RedisFiles:
    """Safe to repeat with identical arguments, see `Runner`."""

    def __init__(self, runner: Runner) -> None:
        self._run = runner

    async def reserve(
        self, task_id: str, by: Reporter, path: str, *, origin: str | None, blob: str, keep_ms: int
    ) -> FileRoom:
        reply = await self._run.call(
            "reserve_file",
            task_id=task_id,
            origin=origin or "",
            **codec.reporter(by),
            path=path,
            blob=blob,
            keep_ms=keep_ms,
        )
        _refuse(reply, task_id)
        return FileRoom(reply.number(0), reply.number(1))

    async def put(self, file: NewFile, by: Reporter, *, origin: str | None) -> FileRecord:
        reply = await self._run.call(
            "put_file",
            file_id=file.id,
            task_id=file.task_id,
            origin=origin or "",
            **codec.reporter(by),
            path=file.path,
            size=file.size,
            type=file.content_type,
            sha256=file.sha256,
            blob=file.blob,
        )
        _refuse(reply, file.task_id)
        return _record(file.id.encode(), reply.values[0])

    async def get(self, task_id: str, path: str) -> FileRecord | None:
        reply = await self._run.call("get_files", task_id=task_id, path=path)
        return next((_record(*found) for found in reply.values[0]), None)

    async def of_task(self, task_id: str) -> list[FileRecord]:
        reply = await self._run.call("get_files", task_id=task_id, path="")
        return sorted((_record(*found) for found in reply.values[0]), key=lambda record: record.path)

    async def find(
        self, origin: str, owner: Owner | None, *, offset: int, limit: int, facet: str = ""
    ) -> tuple[list[FileRecord], int]:
        reply = await self._run.call(
            "find_files", origin=origin, **codec.who(owner), facet=facet, offset=offset, limit=limit
        )
        return [_record(*found) for found in reply.values[1]], reply.number(0)

    async def delete(self, task_id: str, path: str | None, *, origin: str, owner: Owner | None) -> None:
        left = 1
        while left:
            reply = await self._run.call(
                "delete_files", task_id=task_id, origin=origin, **codec.who(owner), path=path or "", limit=_PER_CALL
            )
            if reply.tag == "not_found":
                raise not_found(task_id) if path is None else errors.NotFound(f"File not found: {path}")
            left = reply.number(0)

    async def orphans(self, *, limit: int = 64) -> list[str]:
        reply = await self._run.call("sweep_files", limit=limit)
        return [blob.decode() for blob in reply.values]

    async def forget(self, blobs: Sequence[str]) -> None:
        await self._run.call("forget_blobs", *blobs)


def _refuse(reply: Reply, task_id: str) -> None:
    refuse_report(reply, task_id)
    match reply.tag:
        case "too_large":
            raise too_large()
        case "quota":
            raise no_room()
        case "late":
            raise upload_expired()


def _record(file_id: bytes, flat: Sequence[bytes]) -> FileRecord:
    f = codec.fields(flat)
    return FileRecord(
        id=file_id.decode(),
        task_id=f["task"],
        origin=f["origin"],
        owner=Owner(f["tenant"], f["sub"]),
        path=f["path"],
        size=int(f["size"]),
        content_type=f["type"],
        sha256=f["sha256"],
        blob=f["blob"],
        fence=int(f["fence"]),
        created_ms=int(f["created"]),
    )
