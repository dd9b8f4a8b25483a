"""Handlers of the file operations."""

from dispatcher.dialects.call import Answer, Call, Stream
from dispatcher.dialects.downloads import download
from dispatcher.dialects.native.options import ORIGIN, NativeOptions
from dispatcher.dialects.native.output_answers import FileAnswer, FileListAnswer, FileMessage
from dispatcher.dialects.native.reporter import reporter_of
from dispatcher.domain.file import FileRecord
from dispatcher.service.services import Services
from dispatcher.web.answer import encode_json
from dispatcher.web.body import declared_length
from dispatcher.web.download import content_type
from dispatcher.web.request_headers import attempt_number


class FileRoutes:
    def __init__(self, services: Services, options: NativeOptions) -> None:
        self._files = services.files
        self._max_bytes = options.file_max

    async def upload(self, call: Call) -> Answer:
        record = await self._files.upload(
            call.path_id,
            call.path_text("path"),
            call.chunks(self._max_bytes),
            content_type=content_type(call.headers),
            origin=None,  # a worker reports here whatever API its task came by
            by=reporter_of(call, attempt_number(call.headers)),
            declared=declared_length(call.scope),
        )
        return Answer(encode_json(_file(record)))

    async def find(self, call: Call) -> Answer:
        records = await self._files.of_task(call.caller, call.path_id, origin=ORIGIN)
        return Answer(encode_json(FileListAnswer(taskId=call.path_id, files=[_file(record) for record in records])))

    async def download(self, call: Call) -> Stream:
        record = await self._files.get(call.caller, call.path_id, call.path_text("path"), origin=ORIGIN)
        return await download(call, self._files, record)

    async def delete(self, call: Call) -> Answer:
        path = call.path_text("path")
        await self._files.delete(call.caller, call.path_id, path, origin=ORIGIN)
        return Answer(encode_json(FileMessage(message="File deleted", taskId=call.path_id, path=path)))


def _file(record: FileRecord) -> FileAnswer:
    return FileAnswer(
        id=record.id,
        taskId=record.task_id,
        path=record.path,
        size=record.size,
        contentType=record.content_type,
        sha256=record.sha256,
        attempt=record.fence,
        createdAt=record.created_ms,
    )
