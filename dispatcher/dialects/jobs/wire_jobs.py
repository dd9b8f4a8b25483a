"""Jobs between the wire and the domain. Pure."""

import json
import uuid
from typing import Any, cast

from dispatcher.dialects.jobs.answers import AttemptAnswer, AttemptStatus, JobDetails, JobStatus, ListedJob
from dispatcher.dialects.jobs.options import KIND, ORIGIN, POINTS, PRIORITIES, JobsOptions
from dispatcher.dialects.jobs.requests import SubmitJob
from dispatcher.dialects.jobs.wire_results import output_of
from dispatcher.domain.failure import POISON
from dispatcher.domain.lane import Demand
from dispatcher.domain.principal import Principal
from dispatcher.domain.task import Attempt, NewTask, Task, facet_word
from dispatcher.domain.task import AttemptStatus as Core
from dispatcher.domain.transitions import TaskState
from dispatcher.web.answer import encode_json
from dispatcher.web.times import iso

# which states a status word stands for
STATES: dict[str, tuple[TaskState, ...]] = {
    "pending": (TaskState.PENDING, TaskState.SCHEDULED, TaskState.RETRYING),
    "running": (TaskState.PROCESSING, TaskState.PAUSED),
    "completed": (TaskState.COMPLETED,),
    "failed": (TaskState.FAILED, TaskState.TIMEOUT),
    "cancelled": (TaskState.CANCELLED,),
}
_WORDS = {state: cast("JobStatus", word) for word, states in STATES.items() for state in states}
_ATTEMPTS: dict[Core, AttemptStatus] = {
    Core.RUNNING: "running",
    Core.COMPLETED: "completed",
    Core.FAILED: "failed",
    Core.TIMEOUT: "failed",
    Core.CANCELLED: "failed",
}  # all others: lost


def new_job_id() -> str:
    return str(uuid.uuid4())


def facets(priority: str, job_type: str | None) -> str:
    """The word under which jobs of one priority, or of one priority and type, are listed."""
    if job_type is None:
        return priority
    return f"{priority}.{facet_word(job_type)}"


def facets_asked(priority: str | None, job_type: str | None) -> tuple[str, ...]:
    """What a list is narrowed to; empty for all jobs."""
    if priority is None and job_type is None:
        return ()
    return tuple(facets(one, job_type) for one in ((priority,) if priority else PRIORITIES))


def new_job(body: SubmitJob, caller: Principal, options: JobsOptions) -> NewTask:
    owner = caller.owner
    return NewTask(
        id=new_job_id(),
        origin=ORIGIN,
        owner=owner,
        type=body.type,
        demand=Demand(KIND, open=caller.door),
        points=POINTS[body.priority],
        boost_ms=options.boost_ms(body.priority),
        spec=encode_json({"priority": body.priority}),
        payload=encode_json(body.model_dump()),
        timeout_ms=options.runtime_ms,
        waiting_ms=options.waiting_ms,
        weight=options.tenant_weights.get(owner.tenant, 1),
        facets=(facets(body.priority, None), facets(body.priority, body.type)),
        shy=True,
    )


def _iso(ms: int | None) -> str | None:
    return None if ms is None else iso(ms)


def status_word(state: TaskState) -> JobStatus:
    return _WORDS[state]


def _note(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text) if text else {}
    return found


def _started(task: Task) -> bool:
    """It runs, or ran to its end; a job that went back to the queue has not started."""
    return task.started_ms is not None and status_word(task.state) != "pending"


def listed(task: Task) -> ListedJob:
    return ListedJob(
        id=task.id,
        type=task.type,
        status=status_word(task.state),
        priority=json.loads(task.spec)["priority"],
        executor_id=_note(task.note).get("executor_id") if _started(task) else None,
        created_at=iso(task.created_ms),
        started_at=_iso(task.started_ms) if _started(task) else None,
    )


def details(task: Task) -> JobDetails:
    """All of a job; the task was read with its payload."""
    job, brief, output = json.loads(task.payload or b"{}"), listed(task), output_of(task)
    return JobDetails(
        id=task.id,
        type=task.type,
        binary_url=job["binary_url"],
        binary_sha256=job["binary_sha256"],
        arguments=job["arguments"],
        env_variables=job["env_variables"],
        priority=brief["priority"],
        status=brief["status"],
        executor_id=brief["executor_id"],
        stdout=output.get("stdout", ""),
        stderr=output.get("stderr", ""),
        exit_code=output.get("exit_code"),
        created_at=brief["created_at"],
        started_at=brief["started_at"],
        completed_at=_iso(task.ended_ms),
        attempts=[_attempt(attempt) for attempt in task.attempts],
        attempt=task.fence,
        error_message=_error(task),
        stdout_truncated=output.get("stdout_truncated", False),
        stderr_truncated=output.get("stderr_truncated", False),
    )


def _attempt(attempt: Attempt) -> AttemptAnswer:
    note = _note(attempt.note)
    return AttemptAnswer(
        executor_id=note.get("executor_id"),
        executor_ip=note.get("executor_ip"),
        started_at=iso(attempt.started_ms),
        ended_at=_iso(attempt.ended_ms),
        status=_ATTEMPTS.get(attempt.status, "lost"),
    )


def _error(task: Task) -> str | None:
    if task.error is None:
        return None
    return "executor lost" if task.error.code == POISON else task.error.text or task.error.code
