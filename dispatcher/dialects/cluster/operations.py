"""The registry of the cluster."""

from dispatcher.dialects.cluster import answers as a
from dispatcher.dialects.cluster import requests as r
from dispatcher.dialects.cluster.cluster_routes import ClusterRoutes
from dispatcher.dialects.cluster.model_routes import ModelRoutes
from dispatcher.dialects.cluster.options import ClusterOptions
from dispatcher.dialects.cluster.task_routes import TaskRoutes
from dispatcher.dialects.cluster.worker_routes import WorkerRoutes
from dispatcher.dialects.operation import ADMINS, ANYBODY, CLIENTS, PUBLIC, Operation, Parameter
from dispatcher.domain import errors as e
from dispatcher.web.rates import Rate

STATUS, WORKERS, TASKS, MODELS = "Health & Status", "Worker Management", "Task Management", "Model Management"
CLUSTER = "Cluster Operations"
_BODY = (e.Invalid, e.TooLarge, e.UnsupportedMedia)
_ADMIN = (e.Forbidden, e.NotFound, e.Conflict)


def _word(name: str, words: tuple[str, ...], about: str) -> Parameter:
    return Parameter(name, "query", {"type": "string", "enum": list(words)}, about)


_WORKER_STATUS = _word("status", ("online", "offline", "busy", "error"), "Only workers with this status")
_GPU = Parameter("gpu_type", "query", {"type": "string"}, "Only with a GPU whose model has this text in it")
_TASK_STATUS = _word("status", ("queued", "running", "completed", "failed", "cancelled"), "Only tasks with this status")
_WORKER = Parameter("worker_id", "query", {"type": "string"}, "Only tasks that this worker has or last had")
_LIMIT = Parameter("limit", "query", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 50}, "How many")
_OFFSET = Parameter("offset", "query", {"type": "integer", "minimum": 0, "default": 0}, "How many to pass over")
_TIMEFRAME = _word("timeframe", ("1h", "24h", "7d", "30d"), "Up to now; 24h unless told")


def operations(
    cluster: ClusterRoutes, workers: WorkerRoutes, tasks: TaskRoutes, models: ModelRoutes, options: ClusterOptions
) -> list[Operation]:
    """All count under the one limit that the document knows."""
    one, health = Rate.DEFAULT, PUBLIC if options.public_health else ANYBODY
    return [
        Operation(
            "health", "GET", "/health", STATUS, "Health", health, Rate.NONE if options.public_health else one,
            cluster.health, answer=a.HealthAnswer, errors=(e.Unavailable,),
        ),
        Operation(
            "clusterStatus", "GET", "/cluster/status", STATUS, "Status of the cluster", ANYBODY, one, cluster.status,
            answer=a.ClusterStatus,
        ),
        Operation(
            "listWorkers", "GET", "/workers", WORKERS, "List workers", ANYBODY, one, workers.find,
            answer=a.WorkerList, parameters=(_WORKER_STATUS, _GPU), errors=(e.Invalid,),
        ),
        Operation(
            "getWorker", "GET", "/workers/{id}", WORKERS, "Worker details", ANYBODY, one, workers.get,
            answer=a.WorkerDetails, errors=(e.NotFound,),
        ),
        Operation(
            "restartWorker", "POST", "/workers/{id}/restart", WORKERS, "Restart a worker", ADMINS, one,
            workers.restart, answer=a.RestartAnswer, errors=_ADMIN,
        ),
        Operation(
            "submitTask", "POST", "/tasks", TASKS, "Submit a task", CLIENTS, one, tasks.submit,
            answer=a.SubmittedTask, request=r.SubmitTask, errors=(*_BODY, e.Forbidden, e.Unavailable),
        ),
        Operation(
            "listTasks", "GET", "/tasks", TASKS, "List tasks", CLIENTS, one, tasks.find, answer=a.TaskList,
            parameters=(_TASK_STATUS, _WORKER, _LIMIT, _OFFSET), errors=(e.Invalid, e.Forbidden),
        ),
        Operation(
            "getTask", "GET", "/tasks/{id}", TASKS, "Task details", CLIENTS, one, tasks.get, answer=a.TaskDetails,
            errors=(e.Forbidden, e.NotFound),
        ),
        Operation(
            "cancelTask", "DELETE", "/tasks/{id}", TASKS, "Cancel a task", CLIENTS, one, tasks.cancel,
            answer=a.CancelledTask, errors=(e.Forbidden, e.NotFound, e.Conflict),
        ),
        Operation(
            "assignModel", "POST", "/models/assign", MODELS, "Assign a model to workers", ADMINS, one, models.assign,
            answer=a.AssignAnswer, request=r.AssignModel, errors=(*_BODY, *_ADMIN),
        ),
        Operation(
            "unloadModel", "POST", "/models/unload", MODELS, "Unload a model from workers", ADMINS, one, models.unload,
            answer=a.UnloadAnswer, request=r.UnloadModel, errors=(*_BODY, *_ADMIN),
        ),
        Operation(
            "listModelAssignments", "GET", "/models/assignments", MODELS, "Where models are", ANYBODY, one,
            models.assignments, answer=a.AssignmentList,
        ),
        Operation(
            "rebalanceCluster", "POST", "/cluster/rebalance", CLUSTER, "Even the cluster out", ADMINS, one,
            cluster.rebalance, answer=a.RebalanceAnswer, request=r.Rebalance, errors=(*_BODY, e.Forbidden, e.Conflict),
        ),
        Operation(
            "clusterMetrics", "GET", "/cluster/metrics", CLUSTER, "Figures of the cluster", ANYBODY, one,
            cluster.metrics, answer=a.MetricsAnswer, parameters=(_TIMEFRAME,), errors=(e.Invalid,),
        ),
    ]  # fmt: skip
