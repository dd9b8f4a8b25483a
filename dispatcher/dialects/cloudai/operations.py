"""The registry of CloudAI."""

from dispatcher.dialects.cloudai import answers as a
from dispatcher.dialects.cloudai import examples as x
from dispatcher.dialects.cloudai import parameters as p
from dispatcher.dialects.cloudai import requests as r
from dispatcher.dialects.cloudai import worker_answers as w
from dispatcher.dialects.cloudai.file_routes import FileRoutes
from dispatcher.dialects.cloudai.options import BASE
from dispatcher.dialects.cloudai.task_routes import TaskRoutes
from dispatcher.dialects.cloudai.worker_routes import WorkerRoutes
from dispatcher.dialects.operation import ADMINS, ANYBODY, CLIENTS, PUBLIC, Operation
from dispatcher.domain import errors as e
from dispatcher.web.rates import Rate

HEALTH, WORKERS, TASKS, FILES = "Health & Status", "Workers", "Tasks", "Files"
_TASKS, _TASK = f"{BASE}/tasks", f"{BASE}/tasks/{{id}}"
_WORKERS, _WORKER = f"{BASE}/workers", f"{BASE}/workers/{{id}}"
_FILES, _FILE = f"{BASE}/files", f"{BASE}/files/{{id}}"
_BODY = (e.Invalid, e.TooSlow, e.TooLarge, e.UnsupportedMedia, e.Forbidden)
_GONE = (e.Forbidden, e.NotFound)
_ASKED = (e.Invalid, *_GONE)


def operations(tasks: TaskRoutes, workers: WorkerRoutes, files: FileRoutes) -> list[Operation]:
    return [*_of_load(workers), *_of_workers(workers), *_of_tasks(tasks), *_of_files(files)]


def _of_load(workers: WorkerRoutes) -> list[Operation]:
    one = Rate.DEFAULT
    return [
        Operation(
            "health", "GET", "/health", HEALTH, "Is the API server running", PUBLIC, Rate.NONE, workers.health,
            answer=a.Health, errors=(e.Unavailable,), example=x.HEALTH,
        ),
        Operation(
            "telemetryAll", "GET", "/telemetry", HEALTH, "Load of all workers", ANYBODY, one, workers.telemetry,
            answer=w.FleetTelemetry, example=x.LOADS,
        ),
        Operation(
            "telemetryWorker", "GET", "/telemetry/{id}", HEALTH, "Load of a worker", ANYBODY, one,
            workers.worker_telemetry, answer=w.Telemetry, errors=(e.NotFound,), example=x.LOAD,
        ),
        Operation(
            "workersLegacy", "GET", "/workers", HEALTH, "As /api/workers", ANYBODY, one, workers.find,
            answer=w.WorkerList, example=x.WORKERS,
        ),
    ]  # fmt: skip


def _of_workers(workers: WorkerRoutes) -> list[Operation]:
    one = Rate.DEFAULT
    return [
        Operation(
            "listWorkers", "GET", _WORKERS, WORKERS, "List workers", ANYBODY, one, workers.find,
            answer=w.WorkerList, example=x.WORKERS,
        ),
        Operation(
            "registerWorker", "POST", _WORKERS, WORKERS, "Register a worker", ADMINS, one, workers.register,
            answer=w.RegisteredWorker, request=r.RegisterWorker, status=201, answer_headers=(p.LOCATION,),
            errors=_BODY, example=x.REGISTER,
        ),
        Operation(
            "getWorker", "GET", _WORKER, WORKERS, "Worker details", ANYBODY, one, workers.get,
            answer=w.WorkerDetails, errors=(e.NotFound,), example=x.WORKER,
        ),
        Operation(
            "unregisterWorker", "DELETE", _WORKER, WORKERS, "Forget a worker", ADMINS, one, workers.unregister,
            answer=a.Done, errors=_GONE, example=x.UNREGISTER,
        ),
        Operation(
            "getWorkerTasks", "GET", f"{_WORKER}/tasks", WORKERS, "Tasks that a worker runs", ANYBODY, one,
            workers.tasks, answer=w.WorkerTasks, errors=(e.NotFound,), example=x.WORKER_TASKS,
        ),
    ]  # fmt: skip


def _of_tasks(tasks: TaskRoutes) -> list[Operation]:
    one = Rate.DEFAULT
    return [
        Operation(
            "listTasks", "GET", _TASKS, TASKS, "List tasks", CLIENTS, one, tasks.find, answer=a.TaskList,
            parameters=(p.STATUS, *p.PAGE), answer_headers=(p.TOTAL,), errors=(e.Invalid, e.Forbidden),
            example=x.TASKS,
        ),
        Operation(
            "createTask", "POST", _TASKS, TASKS, "Submit a task", CLIENTS, Rate.CREATE, tasks.create,
            answer=a.SubmittedTask, request=r.CreateTask, counts_itself=True, status=201, parameters=(p.KEY,),
            answer_headers=(p.LOCATION,), errors=(*_BODY, e.QuotaExceeded, e.KeyReused), example=x.SUBMIT,
        ),
        Operation(
            "getTask", "GET", _TASK, TASKS, "Task details", CLIENTS, one, tasks.get,
            answer=a.TaskDetails, errors=_GONE, counts_itself=True, example=x.TASK,
        ),
        Operation(
            "cancelTask", "DELETE", _TASK, TASKS, "Cancel a task", CLIENTS, one, tasks.cancel,
            answer=a.Done, errors=(*_GONE, e.IllegalState), example=x.CANCEL,
        ),
        Operation(
            "getTaskLogs", "GET", f"{_TASK}/logs", TASKS, "What a task has said", CLIENTS, one, tasks.logs,
            answer=a.TaskLogs, errors=_GONE, example=x.LOGS,
        ),
        Operation(
            "retryTask", "PUT", f"{_TASK}/retry", TASKS, "Retry a failed task as a new one", CLIENTS, Rate.CREATE,
            tasks.retry, answer=a.Retried, errors=(*_GONE, e.IllegalState, e.QuotaExceeded), example=x.RETRY,
        ),
    ]  # fmt: skip


def _of_files(files: FileRoutes) -> list[Operation]:
    one = Rate.DEFAULT
    return [
        Operation(
            "listFiles", "GET", _FILES, FILES, "List files", CLIENTS, one, files.find, answer=a.FileList,
            parameters=(p.USER, p.ASKING, *p.PAGE), answer_headers=(p.TOTAL,), errors=_ASKED, example=x.FILES,
        ),
        Operation(
            "getTaskFiles", "GET", _FILE, FILES, "Files of a task", CLIENTS, one, files.of_task,
            answer=a.TaskFiles, parameters=(p.USER,), errors=_ASKED, example=x.TASK_FILES,
        ),
        Operation(
            "downloadFile", "GET", f"{_FILE}/download/{{path:path}}", FILES, "Download a file", CLIENTS, one,
            files.download, answer=bytes, media="application/octet-stream", also=(206,),
            parameters=(p.USER, p.RANGE), errors=(*_ASKED, e.OutOfRange), example=x.DOWNLOAD,
        ),
        Operation(
            "deleteTaskFiles", "DELETE", _FILE, FILES, "Delete all files of a task", CLIENTS, one, files.delete,
            answer=a.Done, parameters=(p.USER,), errors=_ASKED, example=x.DELETE_FILES,
        ),
    ]  # fmt: skip
