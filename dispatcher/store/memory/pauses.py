"""Holding tasks back, and letting them go on."""

from dispatcher.domain.errors import IllegalState, NoControl
from dispatcher.domain.server import Transport
from dispatcher.domain.transitions import TaskEvent, TaskState
from dispatcher.store.memory import fleet, gangs
from dispatcher.store.memory.state import State
from dispatcher.store.memory.task_rows import FOREVER_MS, TaskRow


def pause(s: State, row: TaskRow, reason: str) -> None:
    if row.state is TaskState.PAUSED:
        return
    if row.ended:
        raise IllegalState(f"Task is {row.state}")
    if row.state is TaskState.PROCESSING:
        if not _can_be_told(s, row):
            raise NoControl("Its worker cannot be told")
        row.halted_ms = s.now  # its time-out stands still
    row.reason = reason
    row.retry_at_ms = row.passed_ms = row.short_since_ms = None
    row.reserves = ""
    s.move(row, TaskEvent.PAUSE)


def resume(s: State, row: TaskRow, reason: str) -> None:
    if row.ended:
        raise IllegalState(f"Task is {row.state}")
    if row.state is not TaskState.PAUSED:
        return
    row.reason = reason
    if row.attempt is not None and row.halted_ms is not None:
        if row.new.timeout_ms:  # what was left of its time
            over_ms = row.attempt.deadline_ms + s.now - row.halted_ms
            row.attempt.deadline_ms = min(over_ms, row.deadline_ms or FOREVER_MS)
        row.halted_ms = None
        s.move(row, TaskEvent.CONTINUE)
    elif row.run_at_ms is not None and row.run_at_ms > s.now:
        s.move(row, TaskEvent.RESCHEDULE)
    else:
        row.queued_ms = s.now
        s.move(row, TaskEvent.RESUME)
        if fleet.candidates(s, row.new.demand).free:
            s.hub.wake(s.now)


def _can_be_told(s: State, row: TaskRow) -> bool:
    """Its worker holds it itself, and over a socket, as the ranks of a gang do."""
    if gangs.is_gang(row):
        return True
    attempt = row.attempt
    server = s.servers.get(attempt.server_id) if attempt is not None else None
    return (
        attempt is not None
        and bool(attempt.accepted)
        and server is not None
        and server.new.transport is Transport.SOCKET
    )
