"""Tasks between the REST API and the domain. Pure."""

import json
import uuid
from typing import Any, cast

from dispatcher.dialects.farm.answers import (
    ClientTask,
    ListedTask,
    Point,
    RequirementsAnswer,
    TaskDetails,
    TaskStatus,
    UpdatedTask,
)
from dispatcher.dialects.farm.options import KIND, MB, ORIGIN, POINTS, FarmOptions
from dispatcher.dialects.farm.requests import CONTROL, CreateTask, Requirements
from dispatcher.domain.lane import Demand
from dispatcher.domain.metrics import MetricsPoint
from dispatcher.domain.principal import Principal
from dispatcher.domain.resources import Resources
from dispatcher.domain.task import NewTask, Task, facet_word
from dispatcher.domain.transitions import TaskState
from dispatcher.web.answer import encode_json
from dispatcher.web.times import iso

# which states a status word stands for
STATES: dict[str, tuple[TaskState, ...]] = {
    "pending": (TaskState.PENDING, TaskState.SCHEDULED, TaskState.RETRYING),
    "running": (TaskState.PROCESSING,),
    "paused": (TaskState.PAUSED,),
    "completed": (TaskState.COMPLETED,),
    "failed": (TaskState.FAILED, TaskState.TIMEOUT),
    "stopped": (TaskState.CANCELLED,),
}
_WORDS = {state: cast("TaskStatus", word) for word, states in STATES.items() for state in states}


def status_word(state: TaskState) -> TaskStatus:
    return _WORDS[state]


def needs_of(asked: Requirements) -> Resources:
    return Resources(cpu=asked.min_cpu_cores, memory=asked.min_ram * MB, gpu_memory=asked.min_gpu_memory * MB)


def new_task(body: CreateTask, members: dict[str, Any], caller: Principal, options: FarmOptions) -> NewTask:
    """`members` are all members of the body: those that say how to train go into the config as they came."""
    known_absent = {name for name in CreateTask.model_fields if members.get(name) is None}
    config = {name: value for name, value in members.items() if name not in CONTROL and name not in known_absent}
    needs = needs_of(body.requirements)
    return NewTask(
        id=str(uuid.uuid4()),
        origin=ORIGIN,
        owner=caller.owner,
        type=body.type,
        demand=Demand(KIND, gang=body.n_clients, open=caller.door).shaped(needs),
        points=POINTS,
        boost_ms=0,
        spec=b"{}",
        payload=encode_json({"config": config, "requirements": body.requirements.model_dump()}),
        timeout_ms=0,
        weight=options.tenant_weights.get(caller.owner.tenant, 1),
        facets=(facet_word(body.type),),
        needs=needs,
        gang_restart=options.gang_restart,
        shy=True,
    )


def listed(task: Task) -> ListedTask:
    return ListedTask(
        id=task.id,
        type=task.type,
        status=status_word(task.state),
        progress=task.progress,
        created_at=iso(task.created_ms),
        updated_at=iso(task.updated_ms),
    )


def updated(task: Task) -> UpdatedTask:
    return UpdatedTask(id=task.id, status=status_word(task.state), updated_at=iso(task.updated_ms))


def brief(task: Task) -> ClientTask:
    return ClientTask(id=task.id, status=status_word(task.state), progress=task.progress)


def details(task: Task) -> TaskDetails:
    """All of a task that was read with its payload."""
    asked = json.loads(task.payload or b"{}")
    return TaskDetails(
        **listed(task),
        metrics=metrics_of(task),
        config=asked.get("config", {}),
        requirements=cast("RequirementsAnswer", asked.get("requirements", {})),
        n_clients=task.gang,
        attempt=task.fence,
        reason=task.reason or None,
        checkpoint_path=_result(task).get("checkpoint_path") or task.checkpoint or None,
        error=None if task.error is None or task.state is TaskState.CANCELLED else task.error.text or task.error.code,
    )


def metrics_of(task: Task) -> dict[str, Any]:
    """What was reported last, and on top of it what came with the result."""
    reported: dict[str, Any] = json.loads(task.metrics) if task.metrics else {}
    return {**reported, **_result(task).get("metrics", {})}


def point(of: MetricsPoint) -> Point:
    metrics: dict[str, Any] = json.loads(of.metrics) if of.metrics else {}
    return Point(progress=of.progress, metrics=metrics, rank=of.rank, timestamp=iso(of.at_ms))


def _result(task: Task) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(task.result) if task.result else {}
    return found
