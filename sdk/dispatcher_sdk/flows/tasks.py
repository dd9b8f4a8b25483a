"""Flows of the tasks: submit, follow, list, change, and `run`, which is all of it in one call."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from dispatcher_sdk.errors import BY_TASK_STATUS, RequestTimeout
from dispatcher_sdk.flows.send import call, parse, parse_page, segment, without_none
from dispatcher_sdk.flows.steps import Flow, Listing, Options, Pause
from dispatcher_sdk.models import Page, Task, TaskAck

LONG_WAIT = 20  # seconds the gateway is asked to hold an answer back until the task ends
FIRST_POLL = 0.05  # seconds between polls of a gateway that does not hold back
LONGEST_POLL = 1.0
FARTHEST = 10_000  # a gateway lists no further back


def submit(
    options: Options,
    type: str,  # noqa: A002 - the field's name
    payload: Mapping[str, Any],
    *,
    priority: int = 5,
    capabilities: Sequence[str] = (),
    group: str | None = None,
    model: str | None = None,
    affinity: str | None = None,
    timeout: float | None = None,
    deadline: int | None = None,
    run_at: int | None = None,
    resources: Mapping[str, float] | None = None,
    kind: Literal["predict", "process", "docker", "model"] = "predict",
    idempotency_key: str | None = None,
) -> Flow[Task]:
    """Hand in a task and return it at once, normally PENDING.

    `priority` is 0..10, higher is more urgent; only servers with all `capabilities`, and of `group` when given, are
    considered, of which free ones with `model` in memory go first; tasks that share an `affinity` prefer one server
    where the algorithm knows affinity. `timeout` is seconds per attempt, `deadline` and `run_at` are epoch ms.
    `resources` (cpu, memoryMB, storageMB, gpu, gpuMemoryMB) are reserved on its server while it runs. `kind` says what
    the server must be able to run: agents run the others than predict. A submit is safe to repeat under one
    `idempotency_key` for 24 hours; without one a fresh key is made, so that retries cannot submit twice.
    """
    body = {
        "type": type,
        "payload": payload,
        "priority": priority,
        "capabilities": list(capabilities),
        "async": True,
        **without_none(
            group=group,
            model=model,
            affinity=affinity,
            timeout=timeout,
            deadline=deadline,
            runAt=run_at,
            resources=None if resources is None else dict(resources),
            kind=None if kind == "predict" else kind,
        ),
    }
    headers = {"Idempotency-Key": idempotency_key or options.new_key()}
    return parse(Task, (yield from call(options, "POST", "/api/task", body=body, headers=headers)))


def get(options: Options, task: str | Task) -> Flow[Task]:
    """The task as it is now."""
    return parse(Task, (yield from call(options, "GET", path_of(task))))


def wait(options: Options, task: str | Task, *, timeout: float | None = None) -> Flow[Task]:
    """Wait until the task has ended, for at most `timeout` seconds, and return it, however it ended.

    Asks the gateway to answer when the task ends (`Prefer: wait`, RFC 7240); one that answers at once is polled.
    Raises RequestTimeout when the time is over first.
    """
    start = options.clock()
    pause = FIRST_POLL
    while True:
        asked_at = options.clock()
        left = LONG_WAIT if timeout is None else start + timeout - asked_at
        hold = max(0, int(min(LONG_WAIT, left)))
        headers = {"Prefer": f"wait={hold}"} if hold else {}
        current = parse(Task, (yield from call(options, "GET", path_of(task), headers=headers, patience=hold)))
        if current.ended:
            return current
        now = options.clock()
        if timeout is not None and now - start >= timeout:
            raise RequestTimeout(f"task {current.id} is still {current.status} after {timeout:g} s")
        if hold and now - asked_at >= hold / 2:  # the gateway did hold back: ask again at once
            pause = FIRST_POLL
            continue
        yield Pause(pause if timeout is None else min(pause, start + timeout - now))
        pause = min(pause * 2, LONGEST_POLL)


def run(
    options: Options,
    type: str,  # noqa: A002 - the field's name
    payload: Mapping[str, Any],
    *,
    priority: int = 5,
    capabilities: Sequence[str] = (),
    group: str | None = None,
    model: str | None = None,
    affinity: str | None = None,
    timeout: float | None = None,
    deadline: int | None = None,
    run_at: int | None = None,
    idempotency_key: str | None = None,
    wait_timeout: float | None = None,
) -> Flow[Any]:
    """Submit a task, wait for it and return its result; the arguments are those of `tasks.submit`.

    `wait_timeout` limits the wait in seconds; the task itself goes on. Raises TaskFailed, TaskTimeout or
    TaskCancelled, each with the task, and RequestTimeout when the wait is over first.
    """
    task = yield from submit(
        options,
        type,
        payload,
        priority=priority,
        capabilities=capabilities,
        group=group,
        model=model,
        affinity=affinity,
        timeout=timeout,
        deadline=deadline,
        run_at=run_at,
        idempotency_key=idempotency_key,
    )
    ended = yield from wait(options, task, timeout=wait_timeout)
    if ended.status in BY_TASK_STATUS:
        raise BY_TASK_STATUS[ended.status](ended)
    return ended.result


def list_all(
    options: Options, *, status: str | None = None, everybody: bool = False, page_size: int = 100
) -> Listing[Task]:
    """Your tasks, newest first; fetched `page_size` (1..1000) at a time while you iterate, the newest 10,000 at most:
    a gateway refuses to list what lies further back, and the iteration ends with BadRequest.

    An admin may list those of `everybody`.
    """

    def page(offset: int) -> Flow[Page[Task]]:
        limit = min(page_size, max(1, FARTHEST - offset))
        query = {"status": status, "all": "true" if everybody else None, "limit": limit, "offset": offset}
        body = yield from call(options, "GET", "/api/tasks", query=query)
        return parse_page(Task, body, "tasks", offset)

    return Listing(page)


def update(
    options: Options,
    task: str | Task,
    *,
    status: str | None = None,
    progress: float | None = None,
    result: Any = None,
    error: str | None = None,
    attempt: int | None = None,
    retryable: bool | None = None,
) -> Flow[TaskAck]:
    """Report on a task, as a server does: `status` PROCESSING, COMPLETED or FAILED, `progress` in percent.

    `attempt` says for which attempt; `retryable` hands a failure to the gateway's retry rules.
    """
    body = without_none(
        status=status, progress=progress, result=result, error=error, attempt=attempt, retryable=retryable
    )
    return parse(TaskAck, (yield from call(options, "PUT", path_of(task), body=body)))


def retry(options: Options, task: str | Task) -> Flow[TaskAck]:
    """Queue a task that ended as FAILED or TIMEOUT again, under the same id."""
    return parse(TaskAck, (yield from call(options, "POST", f"{path_of(task)}/retry")))


def cancel(options: Options, task: str | Task) -> Flow[TaskAck]:
    """Cancel a task that has not ended; cancelling twice is the same as once."""
    return parse(TaskAck, (yield from call(options, "POST", f"{path_of(task)}/cancel", repeatable=True)))


def pause(options: Options, task: str | Task, *, reason: str | None = None) -> Flow[TaskAck]:
    """Hold a task back until it is resumed; one that runs only where its server keeps a socket open, else Conflict is
    raised. Pausing twice is the same as once."""
    body = without_none(reason=reason)
    return parse(TaskAck, (yield from call(options, "POST", f"{path_of(task)}/pause", body=body, repeatable=True)))


def resume(options: Options, task: str | Task, *, reason: str | None = None) -> Flow[TaskAck]:
    """Let a paused task go on; one that is not paused stays as it is."""
    body = without_none(reason=reason)
    return parse(TaskAck, (yield from call(options, "POST", f"{path_of(task)}/resume", body=body, repeatable=True)))


def delete(options: Options, task: str | Task) -> Flow[TaskAck]:
    """Remove a task that has ended."""
    return parse(TaskAck, (yield from call(options, "DELETE", path_of(task))))


def path_of(task: str | Task) -> str:
    """The path of a task, by its id."""
    return f"/api/task/{segment(task if isinstance(task, str) else task.id)}"
