"""The life of one attempt: start, end by verdict, and what that does to its task, slot, server and statistics."""

from dataclasses import replace

from dispatcher.domain.failure import BACKEND_LOST, BLAMES_SERVER, DECLINED, POISON, RANK_LOST, Outcome, Verdict
from dispatcher.domain.grant import Candidates, Grant
from dispatcher.domain.stats import Counts
from dispatcher.domain.task import Attempt, AttemptStatus, TaskError
from dispatcher.domain.transitions import TaskEvent, TaskState
from dispatcher.store.memory import fleet, gangs, loads
from dispatcher.store.memory.server_rows import ServerRow
from dispatcher.store.memory.state import State
from dispatcher.store.memory.task_rows import FOREVER_MS, AttemptRow, TaskRow

TRIED_KEPT = 16
DECLINERS = 64  # of one task

_STATUS = {
    Verdict.COMPLETED: AttemptStatus.COMPLETED,
    Verdict.FAILED: AttemptStatus.FAILED,
    Verdict.FAILURE: AttemptStatus.FAILED,
    Verdict.TIMED_OUT: AttemptStatus.TIMEOUT,
    Verdict.LOST: AttemptStatus.LOST,
    Verdict.BUSY: AttemptStatus.BUSY,
    Verdict.NOT_SENT: AttemptStatus.NOT_SENT,
    Verdict.RELEASED: AttemptStatus.RELEASED,
    Verdict.DECLINED: AttemptStatus.DECLINED,
}

_ENDS = {
    TaskState.COMPLETED: Counts(completed=1),
    TaskState.FAILED: Counts(failed=1),
    TaskState.TIMEOUT: Counts(failed=1),
    TaskState.CANCELLED: Counts(cancelled=1),
}


def start(
    s: State, row: TaskRow, server: ServerRow, *, nonce: str, gateway: str, lease_ms: int, note: str = ""
) -> Grant:
    """Start an attempt of a PENDING task on a free server."""
    row.fence += 1
    row.server_id = server.id
    row.note = note = "".join(" " if ord(c) < 32 or ord(c) == 127 else c for c in note)
    row.started_ms = s.now
    row.waited_ms, row.waiting_deadline_ms = row.waiting_deadline_ms, None
    if not row.run_started:
        row.run_started = True
        s.budget.earn(s.now)
    over_ms = s.now + row.new.timeout_ms if row.new.timeout_ms else FOREVER_MS
    deadline_ms = min(over_ms, row.deadline_ms or FOREVER_MS)
    row.attempt = AttemptRow(row.fence, server.id, nonce, gateway, s.now, deadline_ms, lease_ms)
    row.attempts.append(Attempt(row.fence, server.id, s.now, note=note))
    del row.attempts[: -s.options.attempts_kept]
    server.slots[row.id, row.fence] = s.now + lease_ms
    if row.new.needs:
        server.held[row.id, row.fence] = row.new.needs
    loads.begin(s, server, (row.id, row.fence), row)
    server.use(row.new.model, s.now)
    row.short_since_ms, row.reserves = None, ""
    s.queue.charge(row)
    s.move(row, TaskEvent.CLAIM)
    return grant_of(s, row, row.attempt)


def grant_of(s: State, row: TaskRow, attempt: AttemptRow) -> Grant:
    new = row.new
    return Grant(
        task_id=row.id, server_id=attempt.server_id, fence=attempt.fence, nonce=attempt.nonce, type=new.type,
        lane=row.lane, points=new.points, spec=new.spec, payload=new.payload, now_ms=s.now,
        deadline_ms=attempt.deadline_ms, failures=row.failures, losses=row.losses, tried=frozenset(row.tried),
        checkpoint=row.left_off(0), gang=new.demand.gang, kind=new.demand.kind, needs=new.needs,
    )  # fmt: skip


def running_grant(s: State, task_id: str, fence: int, nonce: str) -> Grant | None:
    """The grant of an attempt again, while it runs and is the one that was given under this nonce."""
    row = s.tasks.get(task_id)
    if row is None or row.attempt is None or not row.lives:
        return None
    same = row.attempt.fence == fence and row.attempt.nonce == nonce
    return grant_of(s, row, row.attempt) if same else None


def held_grant(s: State, task_id: str, fence: int, rank: int, server: ServerRow) -> Grant | None:
    """The grant of a worker that fetched its attempt, while that is the current one."""
    row = s.tasks.get(task_id)
    if row is None or row.attempt is None or not row.lives or row.fence != fence:
        return None
    return replace(grant_of(s, row, row.attempt), server_id=server.id, rank=rank, checkpoint=row.left_off(rank))


def offer(s: State, row: TaskRow, gateway: str, *, without: str | None = None) -> Candidates | None:
    """Offer a queued task to a gateway: the free servers, with a turn and the first right; None when none is free."""
    found = fleet.candidates(s, row.new.demand, without=without, task=row)
    if not found.free:
        return None
    s.next_turn(row)
    row.right_until_ms = s.now + s.options.first_right_ms
    row.right_of = gateway
    return found


def end_task(s: State, row: TaskRow, event: TaskEvent, error: TaskError | None) -> None:
    """Into a terminal state, with statistics and waiters."""
    gangs.leave(s, row)
    row.error = error
    row.ended_ms = s.now
    row.retry_at_ms = None
    s.move(row, event)
    s.use(row, -1)
    blameless = error is not None and error.code == DECLINED
    s.counters.count(row, s.now, _ENDS[row.state], None if blameless else row.server_id, end=True)
    for gateway in row.waiters:
        s.hub.tell(gateway, "ended", row.id)
    row.waiters.clear()


def close(s: State, row: TaskRow, status: AttemptStatus, error: str) -> None:
    """Note in the list of attempts how the last one ended."""
    row.attempts[-1] = replace(row.attempts[-1], ended_ms=s.now, status=status, error=error)
    row.halted_ms = None


def apply(
    s: State,
    row: TaskRow,
    attempt: AttemptRow,
    outcome: Outcome,
    *,
    retry_ms: int,
    judge: bool = True,
    on: str | None = None,
) -> bool:
    """End the current attempt, on the server `on` when it has several. `judge`: the end says something of the server.
    True: a slot was freed."""
    verdict, server_id = outcome.verdict, on or attempt.server_id
    freed = outcome.slot_free and fleet.drop_slot(s, server_id, row.id, attempt.fence)
    close(s, row, _STATUS[verdict], outcome.text)
    if verdict in BLAMES_SERVER and judge and server_id not in row.tried:
        row.tried = [*row.tried, server_id][-TRIED_KEPT:]
    gangs.leave(s, row)
    _settle(s, row, outcome, server_id, retry_ms)
    if verdict not in (Verdict.LOST, Verdict.DECLINED) and row.state in (TaskState.COMPLETED, TaskState.FAILED):
        time = Counts(timed=1, duration_ms=s.now - attempt.started_ms)
        s.counters.count(row, s.now, time, server_id, end=True)
    server = s.servers.get(server_id)
    if server is not None and judge:
        fleet.judge(s, server, row, outcome)
    return freed


def _settle(s: State, row: TaskRow, outcome: Outcome, server_id: str, retry_ms: int) -> None:
    """What the verdict means for the task."""
    error = TaskError(outcome.code, outcome.text)
    match outcome.verdict:
        case Verdict.COMPLETED:
            row.result = outcome.result
            row.progress = 100.0
            end_task(s, row, TaskEvent.COMPLETE, None)
        case Verdict.FAILED:
            row.result = outcome.result or None
            end_task(s, row, TaskEvent.FAIL, error)
        case Verdict.FAILURE | Verdict.TIMED_OUT:
            _failed(s, row, outcome.verdict, error, server_id, retry_ms)
        case Verdict.LOST:
            _lost(s, row, error, server_id)
        case Verdict.BUSY | Verdict.NOT_SENT | Verdict.RELEASED:
            s.move(row, TaskEvent.REQUEUE)
        case Verdict.DECLINED:
            _declined(s, row, outcome.text, server_id)


def _failed(s: State, row: TaskRow, verdict: Verdict, error: TaskError, server_id: str, retry_ms: int) -> None:
    row.failures += 1
    row.cause = error
    s.counters.count(row, s.now, Counts(attempt_failures=1), server_id, end=True)
    if row.failures >= row.new.attempts_max:
        timed_out = verdict is Verdict.TIMED_OUT
        end_task(s, row, TaskEvent.TIME_OUT if timed_out else TaskEvent.FAIL, error)
        return
    row.retry_at_ms = s.now + retry_ms if row.state is not TaskState.PAUSED else None
    row.no_budget_since_ms = None
    s.move(row, TaskEvent.RETRY_LATER)


def _lost(s: State, row: TaskRow, error: TaskError, server_id: str) -> None:
    row.losses += 1
    s.counters.count(row, s.now, Counts(attempt_failures=1), server_id, end=True)
    if gangs.is_gang(row) and not row.new.gang_restart:
        end_task(s, row, TaskEvent.FAIL, TaskError(RANK_LOST, error.text))
    elif row.losses >= s.options.losses_max:
        end_task(s, row, TaskEvent.FAIL, TaskError(POISON, f"Lost {row.losses} times: {error.text}"))
    else:
        s.move(row, TaskEvent.REQUEUE)


def _declined(s: State, row: TaskRow, text: str, server_id: str) -> None:
    row.declined.append(server_id)
    row.decline = text
    if len(row.declined) == DECLINERS:
        end_declined(s, row)
    else:
        row.waiting_deadline_ms = row.waited_ms  # it was not begun
        s.move(row, TaskEvent.REQUEUE)
        look_for_others(s, row)


def end_declined(s: State, row: TaskRow) -> None:
    """Nobody is left that might run it."""
    end_task(s, row, TaskEvent.FAIL, TaskError(DECLINED, f"No worker took it; the last one said: {row.decline}"))


def look_for_others(s: State, row: TaskRow) -> None:
    """Nobody may be left for a moment only, while a worker starts anew: it is looked again, and twice in a row ends
    the task."""
    row.nobody = not fleet.are_left(s, row)
    row.look_ms = s.now + s.options.declined_wait_ms


def lose(s: State, row: TaskRow, attempt: AttemptRow, server_id: str, text: str) -> None:
    """The current attempt is lost without a report: a gateway died, or a server that its heartbeats judge."""
    lost = Outcome(Verdict.LOST, code=BACKEND_LOST, text=text)
    apply(s, row, attempt, lost, retry_ms=0, judge=False, on=server_id)


def running_on(s: State, server_id: str) -> list[tuple[TaskRow, AttemptRow]]:
    """The tasks that a server is running, with their attempts."""
    return [
        (row, row.attempt)
        for row in s.tasks.values()
        if row.lives and row.attempt is not None and _runs_on(s, row, row.attempt, server_id)
    ]


def _runs_on(s: State, row: TaskRow, attempt: AttemptRow, server_id: str) -> bool:
    if not gangs.is_gang(row):
        return attempt.server_id == server_id
    server = s.servers.get(server_id)
    return server is not None and (row.id, attempt.fence) in server.slots


def accepted(s: State, server_id: str) -> list[tuple[TaskRow, AttemptRow]]:
    """Those of them that it accepted with 202."""
    return [(row, attempt) for row, attempt in running_on(s, server_id) if server_id in attempt.accepted]
