"""The registry of the cluster."""

from dispatcher.dialects.cluster import answers as a
from dispatcher.dialects.cluster import examples as x
from dispatcher.dialects.cluster import parameters as p
from dispatcher.dialects.cluster import requests as r
from dispatcher.dialects.cluster.cluster_routes import ClusterRoutes
from dispatcher.dialects.cluster.model_routes import ModelRoutes
from dispatcher.dialects.cluster.options import ClusterOptions
from dispatcher.dialects.cluster.task_routes import TaskRoutes
from dispatcher.dialects.cluster.worker_routes import WorkerRoutes
from dispatcher.dialects.operation import ANYBODY, CLIENTS, OPERATORS, PUBLIC, Operation
from dispatcher.domain import errors as e
from dispatcher.web.rates import Rate

STATUS, WORKERS, TASKS, MODELS = "Health & Status", "Worker Management", "Task Management", "Model Management"
CLUSTER = "Cluster Operations"
_ANY = (e.Forbidden,)
_QUERY = (e.Invalid, *_ANY)
_BODY = (*_QUERY, e.TooSlow, e.TooLarge, e.UnsupportedMedia)


def operations(
    cluster: ClusterRoutes, workers: WorkerRoutes, tasks: TaskRoutes, models: ModelRoutes, options: ClusterOptions
) -> list[Operation]:
    """All count under the one limit that the document knows."""
    one, health = Rate.DEFAULT, PUBLIC if options.public_health else ANYBODY
    return [
        Operation(
            "health", "GET", "/health", STATUS, "Health", health, Rate.NONE if options.public_health else one,
            cluster.health, answer=a.HealthAnswer, errors=_ANY, example=x.HEALTH,
        ),
        Operation(
            "clusterStatus", "GET", "/cluster/status", STATUS, "Status of the cluster", ANYBODY, one, cluster.status,
            answer=a.ClusterStatus, errors=_ANY, example=x.STATUS,
        ),
        Operation(
            "listWorkers", "GET", "/workers", WORKERS, "List workers", ANYBODY, one, workers.find,
            answer=a.WorkerList, parameters=p.OF_WORKERS, errors=_QUERY, example=x.LIST_WORKERS,
        ),
        Operation(
            "getWorker", "GET", "/workers/{id}", WORKERS, "Worker details", ANYBODY, one, workers.get,
            answer=a.WorkerDetails, errors=(*_ANY, e.NotFound), example=x.GET_WORKER,
        ),
        Operation(
            "restartWorker", "POST", "/workers/{id}/restart", WORKERS, "Restart a worker", OPERATORS, one,
            workers.restart, answer=a.RestartAnswer, errors=(*_ANY, e.NotFound, e.Conflict), example=x.RESTART,
        ),
        Operation(
            "submitTask", "POST", "/tasks", TASKS, "Submit a task", CLIENTS, one, tasks.submit,
            answer=a.SubmittedTask, request=r.SubmitTask, parameters=(p.KEY,), answer_headers=(p.LOCATION,),
            errors=(*_BODY, e.KeyReused, e.QuotaExceeded), example=x.SUBMIT,
        ),
        Operation(
            "listTasks", "GET", "/tasks", TASKS, "List tasks", CLIENTS, one, tasks.find, answer=a.TaskList,
            parameters=p.OF_TASKS, errors=_QUERY, example=x.LIST_TASKS,
        ),
        Operation(
            "getTask", "GET", "/tasks/{id}", TASKS, "Task details", CLIENTS, one, tasks.get, answer=a.TaskDetails,
            errors=(*_ANY, e.NotFound), example=x.GET_TASK,
        ),
        Operation(
            "cancelTask", "DELETE", "/tasks/{id}", TASKS, "Cancel a task", CLIENTS, one, tasks.cancel,
            answer=a.CancelledTask, errors=(*_ANY, e.NotFound, e.Conflict), example=x.CANCEL,
        ),
        Operation(
            "assignModel", "POST", "/models/assign", MODELS, "Assign a model to workers", OPERATORS, one, models.assign,
            answer=a.AssignAnswer, request=r.AssignModel, errors=(*_BODY, e.NotFound, e.Conflict), example=x.ASSIGN,
        ),
        Operation(
            "unloadModel", "POST", "/models/unload", MODELS, "Unload a model from workers", OPERATORS, one,
            models.unload, answer=a.UnloadAnswer, request=r.UnloadModel, errors=(*_BODY, e.NotFound, e.Conflict),
            example=x.UNLOAD,
        ),
        Operation(
            "listModelAssignments", "GET", "/models/assignments", MODELS, "Where models are", ANYBODY, one,
            models.assignments, answer=a.AssignmentList, errors=_ANY, example=x.ASSIGNMENTS,
        ),
        Operation(
            "rebalanceCluster", "POST", "/cluster/rebalance", CLUSTER, "Even the cluster out", OPERATORS, one,
            cluster.rebalance, answer=a.RebalanceAnswer, request=r.Rebalance, body_optional=True,
            errors=(*_BODY, e.Conflict), example=x.REBALANCE,
        ),
        Operation(
            "clusterMetrics", "GET", "/cluster/metrics", CLUSTER, "Figures of the cluster", ANYBODY, one,
            cluster.metrics, answer=a.MetricsAnswer, parameters=(p.TIMEFRAME,), errors=_QUERY, example=x.METRICS,
        ),
    ]  # fmt: skip
