"""The registry of the task operations."""

from dispatcher.dialects.native.answers import (
    CreatedAnswer,
    TaskAnswer,
    TaskListAnswer,
    TaskMessage,
    UpdatedAnswer,
)
from dispatcher.dialects.native.options import TASK_PATH
from dispatcher.dialects.native.requests import CreateTask, Steer, UpdateTask
from dispatcher.dialects.native.task_routes import FARTHEST, TaskRoutes
from dispatcher.dialects.native.wire_tasks import STATES
from dispatcher.dialects.operation import ANYBODY, CLIENTS, REPORTERS, Example, Operation, Parameter
from dispatcher.domain import errors as e
from dispatcher.web.rates import Rate

TAG = "Tasks"
_BODY_ERRORS = (e.Invalid, e.TooSlow, e.TooLarge, e.UnsupportedMedia)
_WAIT = Parameter("Prefer", "header", {"type": "string"}, "`wait=n`: answer at the end, or after n seconds")
_PREFER = Parameter("Prefer", "header", {"type": "string"}, "`respond-async` (answers 202), `wait=n` (seconds)")
_KEY = Parameter(
    "Idempotency-Key",
    "header",
    {"type": "string", "minLength": 1, "maxLength": 255},
    "A repeat within 24 hours answers the first task; with another body 422",
)
_LISTING = (
    Parameter("status", "query", {"type": "string", "enum": list(STATES)}, "Only tasks with this status"),
    Parameter("limit", "query", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}, "Page size"),
    Parameter(
        "offset",
        "query",
        {"type": "integer", "minimum": 0, "maximum": FARTHEST - 1, "default": 0},
        f"Where the page starts; with `limit` at most {FARTHEST}",
    ),
    Parameter("all", "query", {"type": "boolean", "default": False}, "Admins: the tasks of everybody"),
)
_ATTEMPT = Parameter("X-Attempt", "header", {"type": "integer"}, "The number of the attempt that is spoken of")

_TASK = {
    "id": "task_abc123",
    "status": "PROCESSING",
    "state": "PROCESSING",
    "type": "video-processing",
    "priority": 1,
    "capabilities": ["video"],
    "progress": 45,
    "serverId": "server_xyz789",
    "attempt": 1,
    "failures": 0,
    "retryCount": 0,
    "timeout": 300,
    "createdAt": 1704556800000,
    "updatedAt": 1704556810000,
}
_PATH = {"id": "task_abc123"}
_CREATE = {
    "type": "video-processing",
    "priority": 1,
    "payload": {
        "mimeType": "video/mp4",
        "model": "standard",
        "video_quality": "1080p",
        "video_url": "https://example.com/video.mp4",
        "enable_upscale": False,
    },
    "capabilities": ["video"],
    "async": True,
}
_CREATED = {
    "id": "task_abc123",
    "status": "PENDING",
    "state": "PENDING",
    "type": "video-processing",
    "priority": 1,
    "capabilities": ["video"],
    "createdAt": 1704556800000,
    "updatedAt": 1704556800000,
}
_RESULT = {"output_url": "https://example.com/processed.mp4", "duration": 120}


def task_operations(routes: TaskRoutes) -> list[Operation]:
    return [
        Operation(
            "createTask", "POST", "/api/task", TAG, "Create Task", CLIENTS, Rate.CREATE, routes.create,
            answer=CreatedAnswer | TaskAnswer, request=CreateTask, parameters=(_PREFER, _KEY), counts_itself=True,
            also=(202,),
            errors=(*_BODY_ERRORS, e.Forbidden, e.KeyReused, e.QuotaExceeded, e.Unavailable),
            example=Example(_CREATED, _CREATE),
        ),
        Operation(
            "listTasks", "GET", "/api/tasks", TAG, "List Tasks", ANYBODY, Rate.DEFAULT, routes.find,
            answer=TaskListAnswer, parameters=_LISTING, errors=(e.Invalid, e.Forbidden),
            example=Example({"tasks": [_TASK], "total": 1, "limit": 100, "offset": 0}),
        ),
        Operation(
            "getTask", "GET", TASK_PATH, TAG, "Get Task Status", ANYBODY, Rate.DEFAULT, routes.get,
            answer=TaskAnswer, parameters=(_WAIT,), errors=(e.NotFound,), counts_itself=True,
            example=Example(_TASK, path=_PATH),
        ),
        Operation(
            "updateTask", "PUT", TASK_PATH, TAG, "Update Task", REPORTERS, Rate.REPORT, routes.update,
            answer=UpdatedAnswer, request=UpdateTask, parameters=(_ATTEMPT,), brings_result=True,
            errors=(
                *_BODY_ERRORS, e.Forbidden, e.NotFound, e.IllegalState, e.StaleAttempt, e.ConflictingResult,
                e.AlreadyEnded,
            ),
            example=Example(
                {
                    "message": "Task updated", "taskId": "task_abc123", **_TASK,
                    "status": "COMPLETED", "state": "COMPLETED", "progress": 100, "result": _RESULT,
                },
                {"status": "COMPLETED", "result": _RESULT}, _PATH,
            ),
        ),
        Operation(
            "deleteTask", "DELETE", TASK_PATH, TAG, "Delete Task", CLIENTS, Rate.DEFAULT, routes.delete,
            answer=TaskMessage, errors=(e.Forbidden, e.NotFound, e.IllegalState),
            example=Example({"message": "Task deleted", "taskId": "task_abc123"}, path=_PATH),
        ),
        Operation(
            "retryTask", "POST", "/api/task/{id}/retry", TAG, "Retry Failed Task", CLIENTS, Rate.DEFAULT, routes.retry,
            answer=TaskMessage, errors=(e.Forbidden, e.NotFound, e.IllegalState),
            example=Example({"message": "Task queued for retry", "taskId": "task_abc123"}, path=_PATH),
        ),
        Operation(
            "cancelTask", "POST", "/api/task/{id}/cancel", TAG, "Cancel Task", CLIENTS, Rate.DEFAULT, routes.cancel,
            answer=TaskMessage, errors=(e.Forbidden, e.NotFound, e.IllegalState),
            example=Example({"message": "Task cancelled", "taskId": "task_abc123"}, path=_PATH),
        ),
        Operation(
            "pauseTask", "POST", "/api/task/{id}/pause", TAG, "Pause Task", CLIENTS, Rate.DEFAULT, routes.pause,
            answer=TaskMessage, request=Steer, body_optional=True,
            errors=(*_BODY_ERRORS, e.Forbidden, e.NotFound, e.IllegalState, e.NoControl),
            example=Example(
                {"message": "Task paused", "taskId": "task_abc123"}, {"reason": "Cheaper power at night"}, _PATH
            ),
        ),
        Operation(
            "resumeTask", "POST", "/api/task/{id}/resume", TAG, "Resume Task", CLIENTS, Rate.DEFAULT, routes.resume,
            answer=TaskMessage, request=Steer, body_optional=True,
            errors=(*_BODY_ERRORS, e.Forbidden, e.NotFound, e.IllegalState),
            example=Example({"message": "Task resumed", "taskId": "task_abc123"}, {"reason": "It is night"}, _PATH),
        ),
    ]  # fmt: skip
