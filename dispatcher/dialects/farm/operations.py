"""The registry of the farm's REST API."""

from typing import Any

from dispatcher.dialects.farm import answers as a
from dispatcher.dialects.farm import examples as x
from dispatcher.dialects.farm import parameters as p
from dispatcher.dialects.farm import requests as r
from dispatcher.dialects.farm.client_routes import ClientRoutes
from dispatcher.dialects.farm.options import BASE
from dispatcher.dialects.farm.task_routes import TaskRoutes
from dispatcher.dialects.operation import CLIENTS, Handler, Operation, Parameter
from dispatcher.domain import errors as e
from dispatcher.web.rates import Rate

TASKS, CLIENT, METRICS = "Tasks", "Clients", "Metrics"
_TASKS, _TASK = f"{BASE}/tasks", f"{BASE}/tasks/{{id}}"
_ANY = (e.Invalid, e.Forbidden)  # Invalid: at least of an X-API-Version that there is not
_BODY = (*_ANY, e.TooSlow, e.TooLarge, e.UnsupportedMedia)


def operations(tasks: TaskRoutes, clients: ClientRoutes) -> list[Operation]:
    return [
        _operation(
            "listTasks", "GET", _TASKS, TASKS, "List tasks", tasks.find,
            answer=a.TaskList, parameters=(*p.PAGE, *p.FILTERS), headers=p.PAGED, errors=_ANY, example=x.LIST_TASKS,
        ),
        _operation(
            "createTask", "POST", _TASKS, TASKS, "Create a task", tasks.create, answer=a.CreatedTask,
            request=r.CreateTask, counts_itself=True, status=201, parameters=(p.KEY,), headers=(p.LOCATION,),
            errors=(*_BODY, e.KeyReused, e.QuotaExceeded), example=x.CREATE,
        ),
        _operation(
            "getTask", "GET", _TASK, TASKS, "Task details", tasks.get,
            answer=a.TaskDetails, counts_itself=True, errors=(*_ANY, e.NotFound), example=x.GET_TASK,
        ),
        _operation(
            "updateTaskStatus", "PUT", f"{_TASK}/status", TASKS, "Update the status of a task", tasks.update,
            answer=a.UpdatedTask, request=r.UpdateStatus, errors=(*_BODY, e.NotFound, e.Conflict),
            example=x.UPDATE,
        ),
        _operation(
            "deleteTask", "DELETE", _TASK, TASKS, "Stop and remove a task", tasks.delete,
            answer=None, empty="The task is gone", errors=(*_ANY, e.NotFound), example=x.DELETE,
        ),
        _operation(
            "listClients", "GET", f"{BASE}/clients", CLIENT, "List clients", clients.find,
            answer=a.ClientList, parameters=p.PAGE, headers=p.PAGED, errors=_ANY, example=x.LIST_CLIENTS,
        ),
        _operation(
            "getClient", "GET", f"{BASE}/clients/{{id}}", CLIENT, "Client details", clients.get,
            answer=a.ClientDetails, errors=(*_ANY, e.NotFound), example=x.GET_CLIENT,
        ),
        _operation(
            "systemMetrics", "GET", f"{BASE}/metrics", METRICS, "System metrics", clients.metrics,
            answer=a.SystemMetrics, errors=_ANY, example=x.SYSTEM,
        ),
        _operation(
            "taskMetrics", "GET", f"{BASE}/metrics/tasks/{{id}}", METRICS, "Metrics of a task", clients.task_metrics,
            answer=a.TaskMetrics, counts_itself=True, parameters=(p.HISTORY,), errors=(*_ANY, e.NotFound),
            example=x.TASK_METRICS,
        ),
    ]  # fmt: skip


def _operation(
    name: str,
    method: str,
    path: str,
    tag: str,
    summary: str,
    handler: Handler,
    *,
    parameters: tuple[Parameter, ...] = (),
    headers: tuple[Parameter, ...] = (),
    **more: Any,
) -> Operation:
    """All are open to the same roles, count under the one limit that the document knows, and name their version."""
    return Operation(
        name, method, path, tag, summary, CLIENTS, Rate.DEFAULT, handler,
        parameters=(*parameters, p.ASKED_VERSION), answer_headers=(*headers, p.VERSION_HEADER), **more,
    )  # fmt: skip
