"""The registry of the farm's REST API."""

from dispatcher.dialects.farm import answers as a
from dispatcher.dialects.farm import requests as r
from dispatcher.dialects.farm.client_routes import ClientRoutes
from dispatcher.dialects.farm.options import BASE
from dispatcher.dialects.farm.task_routes import TaskRoutes
from dispatcher.dialects.operation import CLIENTS, Operation
from dispatcher.web.rates import Rate

TASKS, CLIENT, METRICS = "Tasks", "Clients", "Metrics"
_TASKS, _TASK = f"{BASE}/tasks", f"{BASE}/tasks/{{id}}"


def operations(tasks: TaskRoutes, clients: ClientRoutes) -> list[Operation]:
    """All count under the one limit that the document knows."""
    one = Rate.DEFAULT
    return [
        Operation("listTasks", "GET", _TASKS, TASKS, "List tasks", CLIENTS, one, tasks.find, answer=a.TaskList),
        Operation(
            "createTask", "POST", _TASKS, TASKS, "Create a task", CLIENTS, one, tasks.create,
            answer=a.CreatedTask, request=r.CreateTask, counts_itself=True,
        ),
        Operation(
            "getTask", "GET", _TASK, TASKS, "Task details", CLIENTS, one, tasks.get,
            answer=a.TaskDetails, counts_itself=True,
        ),
        Operation(
            "updateTaskStatus", "PUT", f"{_TASK}/status", TASKS, "Update the status of a task", CLIENTS, one,
            tasks.update, answer=a.UpdatedTask, request=r.UpdateStatus,
        ),
        Operation(
            "deleteTask", "DELETE", _TASK, TASKS, "Stop and remove a task", CLIENTS, one, tasks.delete,
            answer=None, empty="The task is gone",
        ),
        Operation(
            "listClients", "GET", f"{BASE}/clients", CLIENT, "List clients", CLIENTS, one, clients.find,
            answer=a.ClientList,
        ),
        Operation(
            "getClient", "GET", f"{BASE}/clients/{{id}}", CLIENT, "Client details", CLIENTS, one, clients.get,
            answer=a.ClientDetails,
        ),
        Operation(
            "systemMetrics", "GET", f"{BASE}/metrics", METRICS, "System metrics", CLIENTS, one, clients.metrics,
            answer=a.SystemMetrics,
        ),
        Operation(
            "taskMetrics", "GET", f"{BASE}/metrics/tasks/{{id}}", METRICS, "Metrics of a task", CLIENTS, one,
            clients.task_metrics, answer=a.TaskMetrics, counts_itself=True,
        ),
    ]  # fmt: skip
