"""The registry of CloudAI."""

from dispatcher.dialects.cloudai import answers as a
from dispatcher.dialects.cloudai import requests as r
from dispatcher.dialects.cloudai import worker_answers as w
from dispatcher.dialects.cloudai.file_routes import FileRoutes
from dispatcher.dialects.cloudai.options import BASE
from dispatcher.dialects.cloudai.task_routes import TaskRoutes
from dispatcher.dialects.cloudai.worker_routes import WorkerRoutes
from dispatcher.dialects.operation import ADMINS, ANYBODY, CLIENTS, PUBLIC, Operation, Parameter
from dispatcher.domain.errors import IllegalState, Invalid, NotFound, Unavailable
from dispatcher.web.rates import Rate

HEALTH, WORKERS, TASKS, FILES = "Health & Status", "Workers", "Tasks", "Files"
_TASKS, _TASK = f"{BASE}/tasks", f"{BASE}/tasks/{{id}}"
_WORKERS, _WORKER = f"{BASE}/workers", f"{BASE}/workers/{{id}}"
_FILES, _FILE = f"{BASE}/files", f"{BASE}/files/{{id}}"

_PAGE = (
    Parameter("offset", "query", {"type": "integer", "minimum": 0}, "How many of the newest to leave out"),
    Parameter("limit", "query", {"type": "integer", "minimum": 1, "maximum": 1000}, "Default: 1000"),
)
_STATUS = Parameter(
    "status",
    "query",
    {"type": "string", "enum": ["pending", "running", "completed", "failed", "cancelled"]},
    "Only tasks with this status",
)
_USER = Parameter("user_id", "query", {"type": "string"}, "Required: the user id that the tasks were handed in under")
_ASKING = Parameter("requesting_user", "query", {"type": "string"}, "Who asks: must be the subject of the token")


def operations(tasks: TaskRoutes, workers: WorkerRoutes, files: FileRoutes) -> list[Operation]:
    one = Rate.DEFAULT
    return [
        Operation(
            "health", "GET", "/health", HEALTH, "Is the API server running", PUBLIC, Rate.NONE, workers.health,
            answer=a.Health, errors=(Unavailable,),
        ),
        Operation(
            "telemetryAll", "GET", "/telemetry", HEALTH, "Load of all workers", ANYBODY, one, workers.telemetry,
            answer=w.FleetTelemetry,
        ),
        Operation(
            "telemetryWorker", "GET", "/telemetry/{id}", HEALTH, "Load of a worker", ANYBODY, one,
            workers.worker_telemetry, answer=w.Telemetry, errors=(NotFound,),
        ),
        Operation(
            "workersLegacy", "GET", "/workers", HEALTH, "As /api/workers", ANYBODY, one, workers.find,
            answer=w.WorkerList,
        ),
        Operation(
            "listWorkers", "GET", _WORKERS, WORKERS, "List workers", ANYBODY, one, workers.find, answer=w.WorkerList
        ),
        Operation(
            "registerWorker", "POST", _WORKERS, WORKERS, "Register a worker", ADMINS, one, workers.register,
            answer=w.RegisteredWorker, request=r.RegisterWorker, errors=(Invalid, Unavailable), also=(201,),
        ),
        Operation(
            "getWorker", "GET", _WORKER, WORKERS, "Worker details", ANYBODY, one, workers.get,
            answer=w.WorkerDetails, errors=(NotFound,),
        ),
        Operation(
            "unregisterWorker", "DELETE", _WORKER, WORKERS, "Forget a worker", ADMINS, one, workers.unregister,
            answer=a.Done, errors=(NotFound,),
        ),
        Operation(
            "getWorkerTasks", "GET", f"{_WORKER}/tasks", WORKERS, "Tasks that a worker runs", ANYBODY, one,
            workers.tasks, answer=w.WorkerTasks, errors=(NotFound,),
        ),
        Operation(
            "listTasks", "GET", _TASKS, TASKS, "List tasks", CLIENTS, one, tasks.find,
            answer=a.TaskList, parameters=(_STATUS, *_PAGE), errors=(Invalid,),
        ),
        Operation(
            "createTask", "POST", _TASKS, TASKS, "Submit a task", CLIENTS, Rate.CREATE, tasks.create,
            answer=a.SubmittedTask, request=r.CreateTask, errors=(Invalid, Unavailable), counts_itself=True,
            also=(201,),
        ),
        Operation(
            "getTask", "GET", _TASK, TASKS, "Task details", CLIENTS, one, tasks.get,
            answer=a.TaskDetails, errors=(NotFound,), counts_itself=True,
        ),
        Operation(
            "cancelTask", "DELETE", _TASK, TASKS, "Cancel a task", CLIENTS, one, tasks.cancel,
            answer=a.Done, errors=(NotFound, IllegalState),
        ),
        Operation(
            "getTaskLogs", "GET", f"{_TASK}/logs", TASKS, "What a task has said", CLIENTS, one, tasks.logs,
            answer=a.TaskLogs, errors=(NotFound,),
        ),
        Operation(
            "retryTask", "PUT", f"{_TASK}/retry", TASKS, "Retry a failed task as a new one", CLIENTS, Rate.CREATE,
            tasks.retry, answer=a.Retried, errors=(NotFound, IllegalState),
        ),
        Operation(
            "listFiles", "GET", _FILES, FILES, "List files", CLIENTS, one, files.find,
            answer=a.FileList, parameters=(_USER, _ASKING, *_PAGE), errors=(Invalid, NotFound),
        ),
        Operation(
            "getTaskFiles", "GET", _FILE, FILES, "Files of a task", CLIENTS, one, files.of_task,
            answer=a.TaskFiles, parameters=(_USER,), errors=(Invalid, NotFound),
        ),
        Operation(
            "downloadFile", "GET", f"{_FILE}/download/{{path:path}}", FILES, "Download a file", CLIENTS, one,
            files.download, answer=bytes, media="application/octet-stream", parameters=(_USER,),
            errors=(Invalid, NotFound),
        ),
        Operation(
            "deleteTaskFiles", "DELETE", _FILE, FILES, "Delete all files of a task", CLIENTS, one, files.delete,
            answer=a.Done, parameters=(_USER,), errors=(Invalid, NotFound),
        ),
    ]  # fmt: skip
