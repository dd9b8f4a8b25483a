"""Tasks between the wire and the domain. Pure."""

import json
import math
from typing import Any, cast

from dispatcher.dialects.cloudai.answers import ListedTask, TaskBrief, TaskDetails, TaskStatus
from dispatcher.dialects.cloudai.ids import retry_id
from dispatcher.dialects.cloudai.options import GB, KIND, ORIGIN, CloudAIOptions
from dispatcher.dialects.cloudai.requests import CreateTask
from dispatcher.dialects.cloudai.urgency import urgency
from dispatcher.domain.grant import Created
from dispatcher.domain.lane import Demand
from dispatcher.domain.principal import Owner, Principal
from dispatcher.domain.resources import Resources
from dispatcher.domain.task import POINTS_PER_LEVEL, NewTask, Task, facet_word
from dispatcher.domain.transitions import TaskState
from dispatcher.web.answer import encode_json

# which states a status word stands for
STATES: dict[str, tuple[TaskState, ...]] = {
    "pending": (TaskState.PENDING, TaskState.SCHEDULED, TaskState.RETRYING),
    "running": (TaskState.PROCESSING, TaskState.PAUSED),
    "completed": (TaskState.COMPLETED,),
    "failed": (TaskState.FAILED, TaskState.TIMEOUT),
    "cancelled": (TaskState.CANCELLED,),
}
_WORDS = {state: cast("TaskStatus", word) for word, states in STATES.items() for state in states}


def status_word(state: TaskState) -> TaskStatus:
    return _WORDS[state]


def seconds(ms: int | None) -> int:
    """Epoch seconds, 0 for unset."""
    return 0 if ms is None else ms // 1000


def needs_of(body: CreateTask) -> Resources:
    """What is kept free for it: never less than was asked for, so that nothing asked for is never nothing."""
    gpu = max(body.gpu_required, 0.001) if body.gpu_required else 0.0
    memory, storage = math.ceil(body.memory_required * GB), math.ceil(body.storage_required * GB)
    return Resources(cpu=body.cpu_required, memory=memory, storage=storage, gpu=gpu)


def new_task(body: CreateTask, task_id: str, caller: Principal, label: str, options: CloudAIOptions) -> NewTask:
    """`label` is the user id that the task is shown under."""
    amounts = {name: getattr(body, name) for name in _AMOUNTS}
    spec = {"docker_image": body.docker_image, **amounts, "user_id": label, "tag": body.tag, "k_value": body.k_value}
    work = {"docker_image": body.docker_image, "command": body.command}
    demand = Demand(KIND, open=caller.door)
    return _task(task_id, caller.owner, demand, spec, encode_json(work), needs_of(body), options)


def again(task: Task, options: CloudAIOptions) -> NewTask:
    """The task that takes the place of a failed one, which was read with its payload. Whoever
    asks for it: it may be given to the workers of the open door only if that one came through it."""
    spec = {**spec_of(task), "retry_of": task.id}
    new_id = retry_id(task.id, task.ended_ms or task.updated_ms)
    opened = Demand(KIND, open=ORIGIN)
    demand = opened if opened.shaped(task.needs).lane == task.lane else Demand(KIND)
    return _task(new_id, task.owner, demand, spec, task.payload or b"{}", task.needs, options)


_AMOUNTS = ("cpu_required", "memory_required", "storage_required", "gpu_required")


def _task(
    task_id: str,
    owner: Owner,
    demand: Demand,
    spec: dict[str, Any],
    payload: bytes,
    needs: Resources,
    options: CloudAIOptions,
) -> NewTask:
    points = urgency(spec["k_value"])
    return NewTask(
        id=task_id,
        origin=ORIGIN,
        owner=owner,
        type=KIND,
        demand=demand.shaped(needs),
        points=round(points),
        boost_ms=round(points * options.aging_ms / POINTS_PER_LEVEL),
        spec=encode_json(spec),
        payload=payload,
        timeout_ms=0,
        weight=options.tenant_weights.get(owner.tenant, 1),
        facets=(facet_word(spec["user_id"]),),
        needs=needs,
    )


def spec_of(task: Task) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(task.spec)
    return found


def label_of(task: Task) -> str:
    label: str = spec_of(task)["user_id"]
    return label


def created(body: CreateTask, made: Created) -> TaskBrief:
    return TaskBrief(
        task_id=made.task_id,
        docker_image=body.docker_image,
        status=status_word(made.state),
        tag=body.tag,
        k_value=body.k_value,
    )


def listed(task: Task, worker: str) -> ListedTask:
    """`worker` is what the server of its last attempt is called."""
    spec, word = spec_of(task), status_word(task.state)
    placed = task.started_ms is not None and word != "pending"  # one that went back to the queue is not
    started = seconds(task.started_ms) if placed else 0
    return ListedTask(
        task_id=task.id,
        docker_image=spec["docker_image"],
        status=word,
        cpu_required=spec["cpu_required"],
        memory_required=spec["memory_required"],
        storage_required=spec["storage_required"],
        gpu_required=spec["gpu_required"],
        user_id=spec["user_id"],
        tag=spec["tag"],
        k_value=spec["k_value"],
        submitted_at=seconds(task.created_ms),
        assigned_at=started,  # a worker asks for a task before it is given one, and begins at once
        started_at=started,
        completed_at=seconds(task.ended_ms),
        assigned_worker=worker if placed else "",
    )


def details(task: Task, worker: str) -> TaskDetails:
    """All of a task that was read with its payload."""
    return TaskDetails(
        **listed(task, worker),
        command=json.loads(task.payload or b"{}").get("command", ""),
        attempt=task.fence,
        error="" if task.error is None else task.error.text or task.error.code,
        retry_of=spec_of(task).get("retry_of", ""),
    )
