"""The one table of task states: state x event -> state.

Python validates with it, the store's scripts receive the allowed from-states as arguments, the diagram in the
documentation is rendered from it.
"""

from enum import StrEnum


class TaskState(StrEnum):
    SCHEDULED = "SCHEDULED"  # waits for its runAt
    PENDING = "PENDING"  # in the queue
    PROCESSING = "PROCESSING"  # an attempt holds a lease on it
    RETRYING = "RETRYING"  # waits for retry_at after a failed attempt
    PAUSED = "PAUSED"  # held back by its owner
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    TIMEOUT = "TIMEOUT"
    CANCELLED = "CANCELLED"


TERMINAL = frozenset({TaskState.COMPLETED, TaskState.FAILED, TaskState.TIMEOUT, TaskState.CANCELLED})


class TaskEvent(StrEnum):
    DUE = "due"  # runAt or retry_at has come
    CLAIM = "claim"  # an attempt starts
    COMPLETE = "complete"  # a result of the current attempt
    FAIL = "fail"  # a final failure
    RETRY_LATER = "retry_later"  # a failure with attempts left
    REQUEUE = "requeue"  # lease lost, busy, not sent, drained, declined: back to the old place
    TIME_OUT = "time_out"  # the last permitted attempt timed out, or the deadline passed
    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"  # no attempt of it lives
    CONTINUE = "continue"  # resumed while its attempt lives
    RESCHEDULE = "reschedule"  # resumed before its runAt
    REOPEN = "reopen"  # an explicit retry


_S, _E = TaskState, TaskEvent

TRANSITIONS: dict[TaskEvent, dict[TaskState, TaskState]] = {
    _E.DUE: {_S.SCHEDULED: _S.PENDING, _S.RETRYING: _S.PENDING},
    _E.CLAIM: {_S.PENDING: _S.PROCESSING},
    # PENDING and RETRYING: a report with the current fence saves work that a lost lease had written off
    _E.COMPLETE: dict.fromkeys((_S.PROCESSING, _S.PENDING, _S.RETRYING, _S.PAUSED), _S.COMPLETED),
    # RETRYING and PENDING also end so when the retry budget or the losses are spent
    _E.FAIL: dict.fromkeys((_S.PROCESSING, _S.PENDING, _S.RETRYING, _S.PAUSED), _S.FAILED),
    # PAUSED: the attempt that lived on has ended, and the task waits for its owner
    _E.RETRY_LATER: {_S.PROCESSING: _S.RETRYING, _S.PAUSED: _S.PAUSED},
    _E.REQUEUE: {_S.PROCESSING: _S.PENDING, _S.PAUSED: _S.PAUSED},
    _E.TIME_OUT: dict.fromkeys((_S.SCHEDULED, _S.PENDING, _S.PROCESSING, _S.RETRYING, _S.PAUSED), _S.TIMEOUT),
    _E.CANCEL: dict.fromkeys((_S.SCHEDULED, _S.PENDING, _S.PROCESSING, _S.RETRYING, _S.PAUSED), _S.CANCELLED),
    _E.PAUSE: dict.fromkeys((_S.SCHEDULED, _S.PENDING, _S.PROCESSING, _S.RETRYING), _S.PAUSED),
    _E.RESUME: {_S.PAUSED: _S.PENDING},
    _E.CONTINUE: {_S.PAUSED: _S.PROCESSING},
    _E.RESCHEDULE: {_S.PAUSED: _S.SCHEDULED},
    _E.REOPEN: {_S.FAILED: _S.PENDING, _S.TIMEOUT: _S.PENDING},
}


def next_state(state: TaskState, event: TaskEvent) -> TaskState | None:
    """The state after `event`, or None when the event is not allowed in `state`."""
    return TRANSITIONS[event].get(state)


def from_states(event: TaskEvent) -> tuple[TaskState, ...]:
    """The states in which `event` is allowed, in the order of the table: what the scripts are given."""
    return tuple(TRANSITIONS[event])


def to_mermaid() -> str:
    """The table as a Mermaid state diagram, for the documentation."""
    lines = ["stateDiagram-v2", "    [*] --> PENDING: create", "    [*] --> SCHEDULED: create with runAt"]
    lines += [
        f"    {source} --> {target}: {event}"
        for event, moves in TRANSITIONS.items()
        for source, target in moves.items()
    ]
    lines += [f"    {state} --> [*]" for state in TaskState if state in TERMINAL]
    return "\n".join(lines) + "\n"
