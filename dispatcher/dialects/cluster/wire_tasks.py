"""Tasks between the wire and the domain. Pure."""

import json
import secrets
from typing import cast

from dispatcher.dialects.cluster.answers import ListedTask, TaskDetails, TaskStatus
from dispatcher.dialects.cluster.options import MODEL, ORIGIN, POINTS, ClusterOptions
from dispatcher.dialects.cluster.requests import SubmitTask
from dispatcher.dialects.cluster.units import duration
from dispatcher.domain.lane import Demand
from dispatcher.domain.placement import can_load
from dispatcher.domain.principal import Principal
from dispatcher.domain.task import NewTask, Task
from dispatcher.domain.transitions import TaskState
from dispatcher.web.answer import encode_json
from dispatcher.web.times import iso

# which states a status word stands for
STATES: dict[str, tuple[TaskState, ...]] = {
    "queued": (TaskState.PENDING, TaskState.SCHEDULED, TaskState.RETRYING),
    "running": (TaskState.PROCESSING, TaskState.PAUSED),
    "completed": (TaskState.COMPLETED,),
    "failed": (TaskState.FAILED, TaskState.TIMEOUT),
    "cancelled": (TaskState.CANCELLED,),
}
_WORDS = {state: cast("TaskStatus", word) for word, states in STATES.items() for state in states}


def status_word(state: TaskState) -> TaskStatus:
    return _WORDS[state]


def new_task(body: SubmitTask, caller: Principal, options: ClusterOptions) -> NewTask:
    owner = caller.owner
    return NewTask(
        id=f"task-{secrets.token_hex(12)}",
        origin=ORIGIN,
        owner=owner,
        type=body.task_type,
        demand=Demand(options.kind, capabilities=_needs(body.model_name, options), open=caller.door),
        points=POINTS[body.priority],
        boost_ms=options.boost_ms(body.priority),
        spec=encode_json({"model": body.model_name, "level": body.priority}),
        payload=encode_json({"task_type": body.task_type, "model": body.model_name, "parameters": body.parameters}),
        timeout_ms=options.timeout_ms if body.timeout is None else round(body.timeout * 1000),
        attempts_max=options.attempts_max,
        waiting_ms=options.waiting_ms,
        weight=options.tenant_weights.get(owner.tenant, 1),
        model=body.model_name or "",
        by_server=True,
    )


def _needs(model: str | None, options: ClusterOptions) -> frozenset[str]:
    """A worker that has the model's files; servers that are called do not tell which models they have."""
    return frozenset({can_load(model)}) if model and options.kind == MODEL else frozenset()


def spent(task: Task) -> str | None:
    """From the start to the end of the execution that ended it; None before."""
    if task.started_ms is None or task.ended_ms is None:
        return None
    return duration(task.ended_ms - task.started_ms)


def error_of(task: Task) -> str | None:
    """Why it failed; None for one that did not."""
    if task.state is TaskState.TIMEOUT:
        return "timeout"
    if task.state is not TaskState.FAILED:
        return None
    return "failed" if task.error is None else task.error.text or task.error.code


def listed(task: Task) -> ListedTask:
    return ListedTask(
        task_id=task.id,
        status=status_word(task.state),
        task_type=task.type,
        assigned_worker=_worker(task),
        duration=spent(task),
        created_at=iso(task.created_ms),
    )


def details(task: Task) -> bytes:
    """All of a task as JSON; its result is the text that the worker sent, not decoded on the way."""
    spec = json.loads(task.spec)
    brief = listed(task)
    answer = TaskDetails(
        task_id=task.id,
        status=brief["status"],
        assigned_worker=brief["assigned_worker"],
        created_at=brief["created_at"],
        started_at=_iso(task.started_ms) if _started(task) else None,
        completed_at=_iso(task.ended_ms),
        duration=brief["duration"],
        task_type=task.type,
        model_name=spec.get("model"),
        priority=spec.get("level", "normal"),
        result=None,
    )
    error = error_of(task)
    if error is not None:
        answer["error"] = error
    text = encode_json(answer)
    if task.state is not TaskState.COMPLETED or not task.result:
        return text
    rest = {name: value for name, value in answer.items() if name != "result"}
    return encode_json(rest)[:-1] + b',"result":' + task.result + b"}"


def _started(task: Task) -> bool:
    """It runs, or ran to its end; one that went back to the queue has not started."""
    return task.started_ms is not None and status_word(task.state) != "queued"


def _worker(task: Task) -> str | None:
    return task.server_id if _started(task) else None


def _iso(ms: int | None) -> str | None:
    return None if ms is None else iso(ms)
