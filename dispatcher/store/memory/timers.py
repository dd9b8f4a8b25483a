"""What time itself does: leases, time-outs, deadlines, retries, runAt, silent servers, rests; then retention.

Every timer is found by looking at all records: this is the specification, not the fast way.
"""

from collections.abc import Callable, Iterator

from dispatcher.domain.failure import DEADLINE, RETRIES_EXHAUSTED, TIMEOUT, Outcome, Verdict
from dispatcher.domain.grant import Ticked
from dispatcher.domain.task import AttemptStatus, TaskError
from dispatcher.domain.transitions import TaskEvent, TaskState
from dispatcher.store.memory import attempts, fleet, gangs
from dispatcher.store.memory.server_rows import ServerRow, Slot
from dispatcher.store.memory.servers import unregister
from dispatcher.store.memory.state import State
from dispatcher.store.memory.task_rows import FOREVER_MS, TaskRow

GRACE_MS = 1_000  # an answer that came in time is still on its way into the store
AGAIN_MS = 1_000  # a retry without budget
PROBE_AGAIN_MS = 5_000  # should the asked gateway die

Action = Callable[[], str | None]  # answers a server to probe
Timer = tuple[int, str, Action]  # due, name (orders equal times), what to do


def tick(s: State, limit: int) -> Ticked:
    if s.last_tick_ms is not None and s.now - s.last_tick_ms > s.options.reap_gap_ms:
        s.no_reap_until_ms = s.now + s.options.lease_ms
    s.last_tick_ms = s.now
    ripe = sorted((timer for timer in _timers(s) if timer[0] <= s.now), key=lambda timer: timer[:2])[:limit]
    probes = [probe for _, _, action in ripe if (probe := action()) is not None]
    room = limit - len(ripe)
    old = [row.id for row in s.tasks.values() if row.ended_ms is not None and _expired(s, row.ended_ms)]
    for task_id in old[:room]:
        del s.tasks[task_id]
    handled = len(ripe) + len(old[:room])
    return Ticked(handled, handled >= limit, tuple(probes))


def _expired(s: State, ended_ms: int) -> bool:
    return ended_ms + s.options.retention_ms <= s.now


def _timers(s: State) -> Iterator[Timer]:
    for row in s.tasks.values():
        yield from _task_timers(s, row)
    for server in s.servers.values():
        yield from _server_timers(s, server)
        for slot, expires in list(server.slots.items()):
            # after an outage a lease gets a full length again, once: unless nobody has renewed it since the last time
            due = expires if server.spared.get(slot) == expires else max(expires, s.no_reap_until_ms)
            if s.no_reap_until_ms > s.now >= expires and due > s.now:
                server.slots[slot] = server.spared[slot] = due
            yield due, f"l:{slot[0]}", lambda server=server, slot=slot: _lease_over(s, server, slot)  # type: ignore[misc]


def _task_timers(s: State, row: TaskRow) -> Iterator[Timer]:
    deadline = row.due_deadline_ms()
    if deadline is not None and not row.ended:
        yield deadline, f"d:{row.id}", lambda: _deadline_over(s, row)
    if row.state is TaskState.PROCESSING and row.attempt is not None and row.attempt.deadline_ms < FOREVER_MS:
        fence = row.fence
        grace_ms = 0 if row.attempt.accepted else GRACE_MS  # no gateway times an accepted one
        yield row.attempt.deadline_ms + grace_ms, f"x:{row.id}", lambda: _time_over(s, row, fence)
    if row.state is TaskState.RETRYING and row.retry_at_ms is not None:
        yield row.retry_at_ms, f"r:{row.id}", lambda: _retry_due(s, row)
    if row.look_ms is not None and not row.ended:
        yield row.look_ms, f"n:{row.id}", lambda: _others_due(s, row)
    if row.state is TaskState.SCHEDULED and row.run_at_ms is not None:
        yield row.run_at_ms, f"s:{row.id}", lambda: _run_due(s, row)


def _server_timers(s: State, server: ServerRow) -> Iterator[Timer]:
    if server.online or server.new.endpoints.health is not None:
        yield server.alive_ms, f"hb:{server.id}", lambda: _silent(s, server)
    elif server.forget_at_ms is not None:
        yield server.forget_at_ms, f"hb:{server.id}", lambda: unregister(s, server)
    if server.ejected_until_ms:
        yield server.probe_at_ms, f"f:{server.id}", lambda: _ejection_over(s, server)
    elif server.rest_until_ms:
        yield server.rest_until_ms, f"f:{server.id}", lambda: _rest_over(s, server)


def _lease_over(s: State, server: ServerRow, slot: Slot) -> None:
    if not server.drop(slot):
        return
    row = s.tasks.get(slot[0])
    attempt = row.attempt if row is not None else None
    current = row is not None and row.lives and row.fence == slot[1] and not gangs.has_ended(row, server.id)
    if row is not None and attempt is not None and current:
        handed = server.handed is not None and server.handed[0] == slot
        if handed:  # its worker was never told of it
            server.handed = None
            released = Outcome(Verdict.RELEASED, text="A worker was gone")
            attempts.apply(s, row, attempt, released, retry_ms=0, judge=False, on=server.id)
            return
        first = server.id == attempt.server_id
        attempts.lose(s, row, attempt, server.id, "The lease ran out" if first else "The lease of a rank ran out")
        if row.new.shy and server.id not in row.tried:
            row.tried.append(server.id)
    fleet.wake(s, server)


def _deadline_over(s: State, row: TaskRow) -> None:
    if row.ended:
        return
    text = "The deadline passed"
    if row.lives:
        attempts.close(s, row, AttemptStatus.TIMEOUT, text)
    attempts.end_task(s, row, TaskEvent.TIME_OUT, TaskError(DEADLINE, text))


def _time_over(s: State, row: TaskRow, fence: int) -> None:
    attempt = row.attempt
    if row.state is not TaskState.PROCESSING or attempt is None or attempt.fence != fence:
        return
    text = "The attempt took longer than its time-out"
    outcome = Outcome(Verdict.TIMED_OUT, code=TIMEOUT, text=text, slot_free=False)
    one = row.new.demand.gang == 1  # of several workers nobody knows which was slow
    attempts.apply(s, row, attempt, outcome, retry_ms=s.options.retry_delay_ms, judge=one)


def _retry_due(s: State, row: TaskRow) -> None:
    if row.state is not TaskState.RETRYING:
        return
    if s.budget.take(s.now):
        row.retry_at_ms = None
        s.move(row, TaskEvent.DUE)
        _wake_for(s, row)
        return
    if row.no_budget_since_ms is None:
        row.no_budget_since_ms = s.now
    if row.deadline_ms is None and s.now - row.no_budget_since_ms >= s.options.retry_wait_max_ms:
        cause = row.cause or TaskError("", "")
        error = TaskError(cause.code or RETRIES_EXHAUSTED, cause.text or "No retry budget")
        attempts.end_task(s, row, TaskEvent.FAIL, error)
    else:
        row.retry_at_ms = s.now + AGAIN_MS


def _others_due(s: State, row: TaskRow) -> None:
    if row.ended:
        return
    if row.nobody and row.state is TaskState.PENDING and not fleet.are_left(s, row):
        attempts.end_declined(s, row)
    else:
        attempts.look_for_others(s, row)


def _run_due(s: State, row: TaskRow) -> None:
    if row.state is TaskState.SCHEDULED:
        row.queued_ms = s.now
        s.move(row, TaskEvent.DUE)
        _wake_for(s, row)


def _wake_for(s: State, row: TaskRow) -> None:
    if fleet.candidates(s, row.new.demand).free:
        s.hub.wake(s.now)


def _silent(s: State, server: ServerRow) -> str | None:
    if server.new.endpoints.health is not None:
        server.alive_ms = s.now + PROBE_AGAIN_MS
        return server.id
    fleet.silent(s, server)
    return None


def _ejection_over(s: State, server: ServerRow) -> str | None:
    if server.new.endpoints.health is not None:
        server.probe_at_ms = s.now + PROBE_AGAIN_MS
        return server.id
    fleet.readmit(s, server)
    return None


def _rest_over(s: State, server: ServerRow) -> None:
    server.rest_until_ms = 0
    fleet.wake(s, server)
