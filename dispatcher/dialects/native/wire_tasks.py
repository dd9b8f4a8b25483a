"""Tasks between the wire and the domain. Pure."""

import json
from dataclasses import replace
from typing import Any

from dispatcher.dialects.native.answers import AttemptAnswer, CreatedAnswer, TaskAnswer, TaskStatus
from dispatcher.dialects.native.options import ORIGIN, NativeOptions
from dispatcher.dialects.native.requests import CreateTask
from dispatcher.dialects.native.wire_resources import resources, resources_answer
from dispatcher.domain.errors import Invalid
from dispatcher.domain.event import TaskUpdate
from dispatcher.domain.grant import Created
from dispatcher.domain.lane import Demand
from dispatcher.domain.placement import NAME_MOST, RUNNER, can_load, is_model
from dispatcher.domain.principal import Owner
from dispatcher.domain.task import POINTS_PER_LEVEL, Attempt, NewTask, Task
from dispatcher.domain.transitions import TERMINAL, TaskState
from dispatcher.web.answer import encode_json

# which states a status word stands for when it filters a list
STATES: dict[str, tuple[TaskState, ...]] = {
    "PENDING": (TaskState.PENDING, TaskState.SCHEDULED, TaskState.RETRYING, TaskState.PAUSED),
    "PROCESSING": (TaskState.PROCESSING,),
    "COMPLETED": (TaskState.COMPLETED,),
    "FAILED": (TaskState.FAILED,),
    "TIMEOUT": (TaskState.TIMEOUT,),
    "CANCELLED": (TaskState.CANCELLED,),
}
_WORDS: dict[TaskState, TaskStatus] = {
    TaskState.SCHEDULED: "PENDING",
    TaskState.PENDING: "PENDING",
    TaskState.RETRYING: "PENDING",
    TaskState.PROCESSING: "PROCESSING",
    TaskState.COMPLETED: "COMPLETED",
    TaskState.FAILED: "FAILED",
    TaskState.TIMEOUT: "TIMEOUT",
    TaskState.CANCELLED: "CANCELLED",
}


def new_task(
    body: CreateTask, payload: bytes, task_id: str, owner: Owner, options: NativeOptions, traceparent: str | None = None
) -> NewTask:
    """The task that a create asks for; `payload` is its text as it came. Raises Invalid when it could never run."""
    if body.deadline is not None and body.run_at is not None and body.deadline <= body.run_at:
        raise Invalid("Invalid field deadline: must be after runAt", field="deadline")
    needs = resources(body.resources)
    model = _model(body)
    extras = {"group": body.group, "model": body.model, "affinity": body.affinity, "traceparent": traceparent}
    spec: dict[str, Any] = {"priority": body.priority, "capabilities": body.capabilities}
    if body.kind != "predict":
        spec["kind"] = body.kind
    spec |= {name: value for name, value in extras.items() if value is not None}
    return NewTask(
        id=task_id,
        origin=ORIGIN,
        owner=owner,
        type=body.type,
        demand=Demand(body.kind, _capabilities(body, model), body.group).shaped(needs),
        needs=needs,
        points=body.priority * POINTS_PER_LEVEL,
        boost_ms=body.priority * options.aging_ms,
        spec=encode_json(spec),
        payload=payload,
        timeout_ms=options.timeout_ms if body.timeout is None else round(body.timeout * 1000),
        attempts_max=options.attempts_max,
        run_at_ms=body.run_at,
        deadline_ms=body.deadline,
        waiting_ms=options.waiting_ms if body.deadline is None else None,
        weight=options.tenant_weights.get(owner.tenant, 1),
        model=model,
    )


def _model(body: CreateTask) -> str:
    """What it runs with: a server that has it in memory is preferred."""
    if body.kind == "predict":
        return body.model or ""
    if body.model is not None:
        raise Invalid("Invalid field model: goes with tasks of the kind predict", field="model")
    if body.kind != RUNNER:
        return ""
    name = body.payload.get("model")
    if name is None:
        raise Invalid("Missing required field: payload.model", field="payload.model")
    if not isinstance(name, str) or not is_model(name):
        raise Invalid(
            f"Invalid field payload.model: must be 1 to {NAME_MOST} printable characters", field="payload.model"
        )
    return name


def _capabilities(body: CreateTask, model: str) -> frozenset[str]:
    """A task that a worker loads its model for needs one that can."""
    asked = frozenset(body.capabilities)
    return asked | {can_load(model)} if body.kind == RUNNER else asked


def status_word(state: TaskState, attempt_lives: bool = False) -> TaskStatus:
    if state is TaskState.PAUSED:
        return "PROCESSING" if attempt_lives else "PENDING"
    return _WORDS[state]


def created_answer(created: Created, body: CreateTask) -> CreatedAnswer:
    return CreatedAnswer(
        id=created.task_id,
        status=status_word(created.state),
        state=created.state.value,
        type=body.type,
        priority=body.priority,
        capabilities=body.capabilities,
        createdAt=created.created_ms,
        updatedAt=created.created_ms,
    )


def task_answer(task: Task) -> TaskAnswer:
    """All of a task but its result, which `task_json` adds as it came."""
    spec = json.loads(task.spec)
    answer = TaskAnswer(
        id=task.id,
        status=status_word(task.state, task.attempt_lives),
        state=task.state.value,
        type=task.type,
        priority=task.points // POINTS_PER_LEVEL,
        capabilities=spec.get("capabilities", []),
        progress=plain(task.progress),
        serverId=task.server_id,
        attempt=task.fence,
        failures=task.failures,
        retryCount=task.run,
        timeout=plain(task.timeout_ms / 1000),
        createdAt=task.created_ms,
        updatedAt=task.updated_ms,
    )
    if "kind" in spec:
        answer["kind"] = spec["kind"]
    if "group" in spec:
        answer["group"] = spec["group"]
    if "model" in spec:
        answer["model"] = spec["model"]
    if task.needs:
        answer["resources"] = resources_answer(task.needs)
    _add_times(answer, task)
    if task.error is not None:
        answer["error"] = task.error.text or task.error.code
        answer["errorCode"] = task.error.code
    if task.attempts:
        answer["attempts"] = [_attempt(attempt) for attempt in task.attempts]
    return answer


def _add_times(answer: TaskAnswer, task: Task) -> None:
    if task.started_ms is not None:
        answer["startedAt"] = task.started_ms
    if task.ended_ms is not None:
        answer["completedAt"] = task.ended_ms
    if task.run_at_ms is not None:
        answer["runAt"] = task.run_at_ms
    if task.retry_at_ms is not None:
        answer["retryAt"] = task.retry_at_ms
    if task.deadline_ms is not None:
        answer["deadline"] = task.deadline_ms


def _attempt(attempt: Attempt) -> AttemptAnswer:
    answer = AttemptAnswer(
        attempt=attempt.fence,
        serverId=attempt.server_id,
        status=attempt.status.value,
        startedAt=attempt.started_ms,
        endedAt=attempt.ended_ms,
    )
    if attempt.error:
        answer["error"] = attempt.error
    return answer


def task_json(task: Task, **before: str) -> bytes:
    """A task as JSON, after the members `before`; the result is its own text, not decoded on the way."""
    text = encode_json({**before, **task_answer(task)})
    return text if task.result is None else text[:-1] + b',"result":' + (task.result or b"null") + b"}"


def as_of(task: Task, update: TaskUpdate) -> Task:
    """The task as it was after an update, as far as the update tells; the newest one is the task itself."""
    if update.rev == task.rev:
        return task
    ended = update.state in TERMINAL
    return replace(
        task,
        state=update.state,
        rev=update.rev,
        progress=update.progress,
        server_id=update.server_id,
        fence=update.fence,
        updated_ms=update.at_ms,
        attempt_lives=update.attempt_lives,
        ended_ms=update.at_ms if ended else None,
        result=None,
        error=None,
        attempts=tuple(a for a in task.attempts if a.fence < update.fence),
    )


def plain(value: float) -> float:
    """45 rather than 45.0."""
    return int(value) if value == int(value) else round(value, 4)
