"""The registry of the file operations."""

from dispatcher.dialects.native.file_routes import FileRoutes
from dispatcher.dialects.native.options import TASK_PATH
from dispatcher.dialects.native.output_answers import FileAnswer, FileListAnswer, FileMessage
from dispatcher.dialects.operation import ANYBODY, CLIENTS, REPORTERS, Example, Operation, Parameter
from dispatcher.domain import errors as e
from dispatcher.web.rates import Rate

TAG = "Files"
BYTES = "application/octet-stream"
_FILES = f"{TASK_PATH}/files"
_FILE = f"{TASK_PATH}/files/{{path:path}}"
_ATTEMPT = Parameter("X-Attempt", "header", {"type": "integer"}, "The number of the attempt that uploads it")
_RANGE = Parameter("Range", "header", {"type": "string"}, "`bytes=0-99`: a part of it, answered 206")
_IF_RANGE = Parameter("If-Range", "header", {"type": "string"}, "The ETag of which a part is wanted; else all is sent")

_PATH = {"id": "task_abc123", "path": "results/output.txt"}
_EXAMPLE = {
    "id": "file_def456",
    "taskId": "task_abc123",
    "path": "results/output.txt",
    "size": 1024,
    "contentType": "text/plain",
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "attempt": 1,
    "createdAt": 1704556820000,
}


def file_operations(routes: FileRoutes) -> list[Operation]:
    return [
        Operation(
            "uploadFile", "PUT", _FILE, TAG, "Upload", REPORTERS, Rate.OUTPUT, routes.upload, answer=FileAnswer,
            parameters=(_ATTEMPT,), accepts=BYTES,
            errors=(
                e.Invalid, e.TooSlow, e.TooLarge, e.Forbidden, e.NotFound, e.IllegalState, e.StaleAttempt,
                e.AlreadyEnded, e.QuotaExceeded, e.Unavailable,
            ),
            example=Example(_EXAMPLE, path=_PATH),
        ),
        Operation(
            "listFiles", "GET", _FILES, TAG, "List Files", ANYBODY, Rate.DEFAULT, routes.find, answer=FileListAnswer,
            errors=(e.NotFound,), example=Example({"taskId": "task_abc123", "files": [_EXAMPLE]}, path=_PATH),
        ),
        Operation(
            "downloadFile", "GET", _FILE, TAG, "Download", ANYBODY, Rate.DEFAULT, routes.download, answer=bytes,
            parameters=(_RANGE, _IF_RANGE), media=BYTES, also=(206,),
            errors=(e.Invalid, e.NotFound, e.OutOfRange, e.Unavailable), example=Example(None, path=_PATH),
        ),
        Operation(
            "deleteFile", "DELETE", _FILE, TAG, "Delete", CLIENTS, Rate.DEFAULT, routes.delete, answer=FileMessage,
            errors=(e.Invalid, e.Forbidden, e.NotFound),
            example=Example(
                {"message": "File deleted", "taskId": "task_abc123", "path": "results/output.txt"}, path=_PATH
            ),
        ),
    ]  # fmt: skip
