"""How an attempt can end, and what that means for the task, the slot and the server."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What became of an attempt.

    COMPLETED  a result.
    FAILED     the task's own fault, or the worker's last word: no retry, the server is not blamed.
    FAILURE    the server's fault (5xx, rejected, unparsable answer): a failure is counted, then retry.
    TIMED_OUT  the attempt's time was up: as FAILURE, but the last one ends the task as TIMEOUT.
    LOST       broken after sending, or the lease expired: a loss is counted; three end the task.
    BUSY       the server has no room: nobody's fault, back to the old place, the server rests.
    NOT_SENT   it never reached the server: no counter of the task, a fault of the server.
    RELEASED   handed back by a gateway or server that stops: nothing is counted.
    DECLINED   this worker may not run it, or cannot: as RELEASED, but it is given to others only.
    """

    COMPLETED = "completed"
    FAILED = "failed"
    FAILURE = "failure"
    TIMED_OUT = "timed_out"
    LOST = "lost"
    BUSY = "busy"
    NOT_SENT = "not_sent"
    RELEASED = "released"
    DECLINED = "declined"


BLAMES_SERVER = frozenset({Verdict.FAILURE, Verdict.TIMED_OUT, Verdict.LOST, Verdict.NOT_SENT})

# Error codes of tasks, stable.
POISON = "POISON"
DEADLINE = "DEADLINE"
TIMEOUT = "TIMEOUT"
RESULT_TOO_LARGE = "RESULT_TOO_LARGE"
REJECTED = "REJECTED"  # the server said 400, 413, 415 or 422
BACKEND_ERROR = "BACKEND_ERROR"
BACKEND_UNREACHABLE = "BACKEND_UNREACHABLE"
BACKEND_LOST = "BACKEND_LOST"
RANK_LOST = "RANK_LOST"  # a worker of a gang that must not start again
BAD_ANSWER = "BAD_ANSWER"
DECLINED = "DECLINED"  # all workers that there are declined it
WORKER_FAILED = "WORKER_FAILED"  # a worker reported FAILED
RETRIES_EXHAUSTED = "RETRIES_EXHAUSTED"  # no retry budget for an hour


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of an attempt, as the forwarder or a worker's report gives it.

    `slot_free` is False when the server may still be working (broken after sending, time-out): its slot then stays
    until the lease ends. `rest_ms` is how long a busy server asks to be left alone. `service_ms` is the time from
    sending to the answer, None when there was none.
    """

    verdict: Verdict
    result: bytes = b""
    digest: str = ""
    code: str = ""
    text: str = ""
    slot_free: bool = True
    rest_ms: int = 0
    service_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The server answered 202: the result comes by a report, its heartbeats carry the lease."""
