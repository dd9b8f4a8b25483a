"""Reports on attempts: whose report counts, what late ones are told, and the end of an attempt."""

from dataclasses import replace

from dispatcher.domain.errors import AlreadyEnded, ConflictingResult, Forbidden, IllegalState, NotFound, StaleAttempt
from dispatcher.domain.failure import Outcome, Verdict
from dispatcher.domain.grant import Finished
from dispatcher.domain.metrics import MetricsPoint
from dispatcher.domain.reporter import ByAdmin, ByAttempt, ByHolder, Reporter
from dispatcher.domain.task import Task
from dispatcher.domain.transitions import TaskState
from dispatcher.store.memory import attempts, fleet, gangs
from dispatcher.store.memory.state import State
from dispatcher.store.memory.task_rows import AttemptRow, End, TaskRow

FINAL = frozenset({Verdict.COMPLETED, Verdict.FAILED})
HANDED_ON = frozenset({Verdict.BUSY, Verdict.NOT_SENT})  # to other servers at once, by the same gateway


def finish(
    s: State,
    task_id: str,
    by: Reporter,
    outcome: Outcome,
    *,
    gateway: str,
    retry_delay_ms: int,
    want_next: str | None,
    want_task: bool,
    lease_ms: int,
) -> Finished:
    row = s.task(task_id)
    rank = gangs.rank_of(row, by.server_id) if isinstance(by, ByHolder) else 0
    if rank is not None and gangs.repeats(row, rank, outcome) and _speaks_for(row, by):
        return Finished(row.state, duplicate=True)
    end = row.end
    if end is not None and _same_end(s, row, by, outcome, end):
        return _repeated(s, row, end, gateway, want_next)
    try:
        attempt = _resolve(s, row, by)
    except StaleAttempt:
        if isinstance(by, ByHolder) and outcome.slot_free:
            fleet.drop_left(s, by.server_id, row, by.fence)
        raise
    on = by.server_id if isinstance(by, ByHolder) else attempt.server_id
    if gangs.is_gang(row):
        _refuse_written_off(s, row, on, attempt, outcome)
    if row.ended:
        _refuse_ended(s, row, attempt, outcome)
    if not row.lives and outcome.verdict not in FINAL:
        _free(s, row, attempt, outcome)  # it was written off before, nothing more to count
        return Finished(row.state, duplicate=True)
    if gangs.is_gang(row) and not gangs.done(row, rank or 0, outcome):
        attempt.accepted.discard(on)
        if outcome.slot_free:
            fleet.drop_slot(s, on, row.id, attempt.fence)
        row.progress = max(row.progress, gangs.progress(row, rank or 0, 100.0))
        s.changed(row)
        return Finished(row.state)
    if rank and outcome.verdict is Verdict.COMPLETED:
        outcome = replace(outcome, result=row.ranks[0].result)
    row.end = End(attempt.fence, attempt.nonce, on, outcome.verdict, outcome.digest)
    freed = attempts.apply(s, row, attempt, outcome, retry_ms=retry_delay_ms, on=on)
    if outcome.verdict in HANDED_ON:
        paused = row.state is TaskState.PAUSED
        found = attempts.offer(s, row, gateway, without=attempt.server_id) if not paused else None
        return Finished(row.state, candidates=found, turn=row.turn if found else 0)
    grant = None
    server = s.servers.get(on)
    if freed and server is not None and server.pushed and server.free(s.now):
        head = fleet.select(s, server)
        if head is not None and want_next is None:
            s.hub.wake(s.now)
        elif head is not None and want_next is not None:
            end = row.end  # before the task itself may be started again
            grant = attempts.start(s, head.row, server, nonce=want_next, gateway=gateway, lease_ms=lease_ms)
            row.end = replace(end, grant=(head.row.id, grant.fence)) if end is not None else None
    task = row.view(full=True, result=True) if want_task and row.ended else None
    return Finished(row.state, grant=grant, task=task)


def progress(
    s: State, task_id: str, by: Reporter, percent: float, *, lease_ms: int | None, metrics: bytes, checkpoint: str
) -> Task:
    row = s.task(task_id)
    attempt = _resolve(s, row, by)
    if row.ended:
        raise AlreadyEnded(f"Task is {row.state}", code=row.state.value)
    if not row.lives:
        raise StaleAttempt("The attempt no longer has the task")
    on = by.server_id if isinstance(by, ByHolder) else attempt.server_id
    rank = gangs.rank_of(row, on) or 0
    if on in attempt.accepted:
        _extend(s, row, on, lease_ms or s.options.accepted_lease_ms)
    server = s.servers.get(on)
    if isinstance(by, ByHolder) and server is not None and not server.pushed:
        fleet.heard_of(s, server)
    if checkpoint:
        row.checkpoints[rank] = checkpoint
    if metrics:
        row.metrics = metrics if rank == 0 else row.metrics
        row.history.append(MetricsPoint(s.now, rank, percent, metrics))
        while len(row.history) > 1 and sum(map(_size, row.history)) > s.options.metrics_bytes_kept:
            row.history.popleft()
    overall = gangs.progress(row, rank, percent) if gangs.is_gang(row) else percent
    higher = overall > row.progress
    row.progress = max(row.progress, min(float(overall), 100.0))
    if higher or metrics:
        s.changed(row)
    return row.view(full=True)


def at_work(s: State, task_id: str, by: Reporter, origin: str | None) -> tuple[TaskRow, AttemptRow]:
    """The task and its attempt, when the reporter may add something to it now."""
    row = s.task(task_id)
    if origin not in (None, row.new.origin):
        raise NotFound(f"Task not found: {task_id}")
    attempt = _resolve(s, row, by)
    if row.ended:
        raise AlreadyEnded(f"Task is {row.state}", code=row.state.value)
    if not row.lives:
        raise StaleAttempt("The attempt no longer has the task")
    return row, attempt


def accept(s: State, task_id: str, by: ByAttempt, lease_ms: int) -> bool:
    row = s.tasks.get(task_id)
    if row is None or row.state is not TaskState.PROCESSING or row.attempt is None:
        return False
    if (row.attempt.fence, row.attempt.nonce) != (by.fence, by.nonce):
        return False
    row.attempt.accepted.add(row.attempt.server_id)
    _extend(s, row, row.attempt.server_id, lease_ms)
    return True


def _size(point: MetricsPoint) -> int:
    """What a point takes up, with the words before its metrics."""
    return len(f"{point.at_ms}\t{point.rank}\t{point.progress:.14g}\t") + len(point.metrics)


def _extend(s: State, row: TaskRow, server_id: str, lease_ms: int) -> None:
    slots = s.servers[server_id].slots
    if (row.id, row.fence) in slots:  # a rank that has ended has none
        slots[row.id, row.fence] = s.now + lease_ms


def _held_fence(s: State, row: TaskRow, by: ByHolder) -> int | None:
    """The fence of the worker's slot of the task: the newest, or the one it named."""
    server = s.servers.get(by.server_id)
    slots = server.slots if server is not None else ()
    untold = server.handed[0] if server is not None and server.handed is not None else None
    fences = [slot[1] for slot in slots if slot[0] == row.id and slot != untold]
    if by.fence is not None:
        fences = [f for f in fences if f == by.fence]
    return max(fences, default=None)


def _speaks_for(row: TaskRow, by: Reporter) -> bool:
    """Whether it is about the current attempt of a gang."""
    match by:
        case ByAttempt():
            return row.attempt is not None and (by.fence, by.nonce) == (row.attempt.fence, row.attempt.nonce)
        case ByHolder():
            return row.attempt is not None and by.fence in (None, row.attempt.fence)
        case ByAdmin():
            return row.attempt is not None


def _same_end(s: State, row: TaskRow, by: Reporter, outcome: Outcome, end: End) -> bool:
    """Whether this report repeats the last recorded end."""
    if (outcome.verdict, outcome.digest) != (end.verdict, end.digest):
        return False
    match by:
        case ByAttempt():
            return (by.fence, by.nonce) == (end.fence, end.nonce)
        case ByHolder():
            held = _held_fence(s, row, by)
            return by.server_id == end.server_id and by.fence in (None, end.fence) and held in (None, end.fence)
        case ByAdmin():
            return row.fence == end.fence


def _repeated(s: State, row: TaskRow, end: End, gateway: str, want_next: str | None) -> Finished:
    """The answer of before: the grant only to who asked for it then, known by its nonce."""
    grant = None
    if end.grant is not None and want_next is not None:
        grant = attempts.running_grant(s, *end.grant, want_next)
    if end.verdict in HANDED_ON and row.right_until_ms > s.now and row.right_of == gateway:
        found = fleet.candidates(s, row.new.demand, without=end.server_id, task=row)
        return Finished(row.state, duplicate=True, candidates=found, turn=row.turn)
    return Finished(row.state, duplicate=True, grant=grant)


def _resolve(s: State, row: TaskRow, by: Reporter) -> AttemptRow:
    """The current attempt, when the reporter may speak for it."""
    attempt = row.attempt
    match by:
        case ByAttempt():
            if attempt is not None and (by.fence, by.nonce) == (attempt.fence, attempt.nonce):
                return attempt
            raise StaleAttempt("A newer attempt, or none, has the task")
        case ByHolder():
            return _resolve_holder(s, row, by, attempt)
        case ByAdmin():
            if attempt is None:
                raise IllegalState("Task has no attempt yet")
            return attempt


def _resolve_holder(s: State, row: TaskRow, by: ByHolder, attempt: AttemptRow | None) -> AttemptRow:
    held = _held_fence(s, row, by)
    if attempt is not None and (attempt.server_id == by.server_id or gangs.rank_of(row, by.server_id) is not None):
        own_end = row.ended and row.end is not None and row.end.fence == attempt.fence
        if held == attempt.fence or (held is None and own_end and by.fence in (None, attempt.fence)):
            return attempt
    if by.server_id in row.ranked or any(past.server_id == by.server_id for past in row.attempts):
        raise StaleAttempt("This server no longer has the task")
    raise Forbidden("This server never had the task")


def _refuse_written_off(s: State, row: TaskRow, on: str, attempt: AttemptRow, outcome: Outcome) -> None:
    """A gang's attempt was given up, or another rank ended it: saving one rank's work would not save the gang's."""
    if row.lives or row.state is TaskState.COMPLETED:
        return
    if outcome.slot_free:
        fleet.drop_slot(s, on, row.id, attempt.fence)
    if row.state is TaskState.FAILED:
        raise ConflictingResult("Another end was recorded for this attempt")
    if row.ended:
        raise AlreadyEnded(f"Task is {row.state}", code=row.state.value)
    raise StaleAttempt("The attempt was given up")


def _refuse_ended(s: State, row: TaskRow, attempt: AttemptRow, outcome: Outcome) -> None:
    if row.state in (TaskState.COMPLETED, TaskState.FAILED):
        raise ConflictingResult("Another end was recorded for this attempt")
    _free(s, row, attempt, outcome)
    raise AlreadyEnded(f"Task is {row.state}", code=row.state.value)


def _free(s: State, row: TaskRow, attempt: AttemptRow, outcome: Outcome) -> None:
    """The slot that stayed behind, when the report says that the server is done with it."""
    if outcome.slot_free and fleet.drop_slot(s, attempt.server_id, row.id, attempt.fence):
        fleet.wake(s, s.servers.get(attempt.server_id))
