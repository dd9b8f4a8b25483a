"""Creating and reopening tasks: limits in their fixed order, then the queue and the offer."""

from collections import deque

from dispatcher.domain.errors import IllegalState, Invalid, KeyReused, QuotaExceeded, RateState, Unavailable, counted
from dispatcher.domain.grant import Candidates, Created
from dispatcher.domain.stats import Counts
from dispatcher.domain.task import NewTask
from dispatcher.domain.transitions import TaskEvent, TaskState
from dispatcher.service.ports import IdempotencyKey, RateRule
from dispatcher.store.memory import attempts, fleet
from dispatcher.store.memory.state import KnownKey, State
from dispatcher.store.memory.task_rows import TaskRow


def create(
    s: State, task: NewTask, *, gateway: str, rate: RateRule | None, key: IdempotencyKey | None, waiter: bool
) -> Created:
    known = s.tasks.get(task.id)
    if known is not None:  # the reply to this very call was lost
        state = s.counters.rate(rate, s.now, count=False) if rate is not None else None
        return _created(known, _still_offered(s, known, gateway), state)
    state = s.counters.rate(rate, s.now) if rate is not None else None
    with counted(state):
        first = _first(s, task, key)
        if first is not None:
            if waiter:
                watch(s, first, gateway)
            return Created(first.id, first.state, first.created_ms, rate=state, replayed=True)
        _check_tenant(s, task)
        _check_namespace(s, task)
        _check_times(s, task)

    row = insert(s, task)
    if key is not None:
        s.keys[_key_of(task, key)] = KnownKey(key.digest, task.id, s.now + key.ttl_ms)
    if waiter:
        watch(s, row, gateway)
    found = attempts.offer(s, row, gateway) if row.state is TaskState.PENDING else None
    s.changed(row)
    return _created(row, found, state)


def reopen(s: State, row: TaskRow, waiting_ms: int | None) -> Created:
    """An explicit retry: a new run in the queue, while everything of the old ones is refused."""
    if row.state not in (TaskState.FAILED, TaskState.TIMEOUT):
        raise IllegalState(f"Task is {row.state}")
    _check_tenant(s, row.new)
    _check_namespace(s, row.new)
    row.run += 1
    row.failures = row.losses = 0
    row.progress = 0.0
    row.run_started = False
    row.ranks = []
    row.attempt = row.end = row.claim = row.result = row.error = row.cause = None
    row.started_ms = row.ended_ms = row.run_at_ms = row.retry_at_ms = row.no_budget_since_ms = None
    row.tried.clear()
    row.declined.clear()
    row.nobody, row.look_ms = False, None
    row.short_since_ms, row.reserves = None, ""
    row.waiting_deadline_ms = _after(s.now, waiting_ms)
    if row.deadline_ms is not None and row.deadline_ms <= s.now:
        row.deadline_ms = None  # it ended the run before; it must not end this one
    row.score = _score(s.now, row.new)
    row.queued_ms = s.now
    s.use(row, +1)
    s.counters.count(row, s.now, Counts(reopened=1), end=False)
    s.move(row, TaskEvent.REOPEN)
    return _created(row, attempts.offer(s, row, ""), None)


def watch(s: State, row: TaskRow, gateway: str) -> bool:
    """Tell this gateway of the end; beyond the bound the longest waiting one gives way."""
    if row.ended:
        return False
    if gateway not in row.waiters:
        row.waiters.append(gateway)
        del row.waiters[: -s.options.waiters_max]
    return True


def _created(row: TaskRow, found: Candidates | None, rate: RateState | None) -> Created:
    turn = row.turn if found is not None else 0
    return Created(row.id, row.state, row.created_ms, turn=turn, candidates=found, rate=rate)


def _still_offered(s: State, row: TaskRow, gateway: str) -> Candidates | None:
    if row.right_until_ms <= s.now or row.right_of != gateway:
        return None
    found = fleet.candidates(s, row.new.demand, task=row)
    return found if found.free else None


def _key_of(task: NewTask, key: IdempotencyKey) -> tuple[str, str, str, str]:
    return (task.origin, task.owner.tenant, task.owner.sub, key.key)


def _first(s: State, task: NewTask, key: IdempotencyKey | None) -> TaskRow | None:
    """The task that was made with this key before, while key and task last. Raises KeyReused."""
    known = s.keys.get(_key_of(task, key)) if key is not None else None
    if key is None or known is None or known.until_ms <= s.now:
        return None
    if known.digest != key.digest:
        raise KeyReused("The idempotency key was used with another body")
    return s.tasks.get(known.task_id)


def _check_tenant(s: State, task: NewTask) -> None:
    used, options = s.tenants.get(task.owner.tenant), s.options
    if used is None:
        return
    new_lane = task.demand.lane not in used.lanes
    if (
        used.tasks >= options.tenant_max
        or used.size + len(task.payload) > options.tenant_bytes_max
        or (new_lane and len(used.lanes) >= options.tenant_lanes_max)
    ):
        raise QuotaExceeded("Too many tasks are waiting")


def _check_namespace(s: State, task: NewTask) -> None:
    used, options = s.usage, s.options
    new_lane = task.demand.lane not in used.lanes
    if (
        used.tasks >= options.queue_max
        or used.size + len(task.payload) > options.queue_bytes_max
        or (new_lane and len(used.lanes) >= options.lanes_max)
    ):
        raise Unavailable("The queue is full")


def _check_times(s: State, task: NewTask) -> None:
    if task.deadline_ms is not None and task.deadline_ms <= s.now:
        raise Invalid("deadline is in the past", field="deadline")


def _after(start_ms: int, waiting_ms: int | None) -> int | None:
    return start_ms + waiting_ms if waiting_ms is not None else None


def _score(now_ms: int, task: NewTask) -> int:
    return (now_ms - task.boost_ms) * 1000


def insert(s: State, task: NewTask, *, later_us: int = 0) -> TaskRow:
    """A new task, in the queue unless it has a time to run at; `later_us` orders those of one instant."""
    run_at_ms = task.run_at_ms if task.run_at_ms is not None and task.run_at_ms > s.now else None
    start_ms = run_at_ms or s.now
    waiting_until_ms = _after(start_ms, task.waiting_ms)
    row = TaskRow(
        new=task, lane=task.demand.lane, created_ms=s.now, score=_score(start_ms, task) + later_us,
        state=TaskState.PENDING if run_at_ms is None else TaskState.SCHEDULED, updated_ms=s.now,
        queued_ms=s.now, since_ms=s.now,
        deadline_ms=task.deadline_ms, waiting_deadline_ms=waiting_until_ms, run_at_ms=run_at_ms,
        updates=deque(maxlen=s.options.updates_kept), history=deque(maxlen=s.options.metrics_kept),
    )  # fmt: skip
    s.tasks[row.id] = row
    s.demands[row.lane] = task.demand
    s.use(row, +1)
    s.counters.count(row, s.now, Counts(created=1), end=False)
    if run_at_ms is None:
        s.queue.add(row)
    return row
