"""What the store answers when work is asked for, granted or ended.

Expected answers are small frozen dataclasses joined in unions, so a `match` at the call site shows every case;
exceptions are for what a caller did wrong.
"""

from dataclasses import dataclass

from dispatcher.domain.errors import RateState
from dispatcher.domain.resources import NOTHING, Resources
from dispatcher.domain.task import Task
from dispatcher.domain.transitions import TaskState


@dataclass(frozen=True, slots=True)
class FreeServer:
    """A fitting server with a free slot, and the load it had when the script ran (running attempts / weight)."""

    server_id: str
    load: float


@dataclass(frozen=True, slots=True)
class Candidates:
    """Free servers of a lane: all of them (`complete`; always so up to 64 fitting servers), else the 16 least loaded.
    In the first case a fitting server that is missing has no free slot.
    """

    free: tuple[FreeServer, ...]
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Created:
    """A task was created. With `candidates` the caller has the first right to it for 250 ms; without, it waits in
    the queue (or for its runAt) and others start it.
    """

    task_id: str
    state: TaskState
    created_ms: int
    turn: int = 0
    candidates: Candidates | None = None
    rate: RateState | None = None
    replayed: bool = False  # the Idempotency-Key had been seen: this is the first task


@dataclass(frozen=True, slots=True)
class Grant:
    """An attempt that holds a lease and a slot on `server_id`; all that is needed to send it.

    `deadline_ms` is when the attempt's time is up (epoch ms of the store's clock), `now_ms` the store's time at the
    grant: the difference is what remains. `tried` are servers that failed this task before.
    """

    task_id: str
    server_id: str
    fence: int
    nonce: str
    type: str
    lane: str
    points: int
    spec: bytes
    payload: bytes
    now_ms: int
    deadline_ms: int
    failures: int = 0
    losses: int = 0
    tried: frozenset[str] = frozenset()
    rank: int = 0
    gang: int = 1  # how many ranks
    checkpoint: str = ""
    kind: str = "predict"  # as in its demand
    needs: Resources = NOTHING


@dataclass(frozen=True, slots=True)
class Granted:
    grant: Grant


@dataclass(frozen=True, slots=True)
class Behind:
    """An older head of the queue had waited over 250 ms: it got the slot, and the caller runs it. The caller's own
    task stays queued."""

    grant: Grant


@dataclass(frozen=True, slots=True)
class Full:
    """That server has no slot for it (full, gone, offline, in maintenance, ejected): choose among these."""

    candidates: Candidates


@dataclass(frozen=True, slots=True)
class Moved:
    """Its load differs by more than 1 from what the caller had seen: choose again with these, once."""

    candidates: Candidates


@dataclass(frozen=True, slots=True)
class Gone:
    """The task is no longer to be had: started elsewhere, cancelled, ended, deleted (None)."""

    state: TaskState | None


Claim = Granted | Behind | Full | Moved | Gone


@dataclass(frozen=True, slots=True)
class Finished:
    """An attempt's end was recorded, or had been before (`duplicate`).

    `state` is the task's state now. `grant` is the next queued task for the slot that became free. `candidates` come
    with BUSY and NOT_SENT: free servers to try at once, with a new first right. `task` is the whole ended task, when
    it was asked for.
    """

    state: TaskState
    duplicate: bool = False
    grant: Grant | None = None
    candidates: Candidates | None = None
    turn: int = 0
    task: Task | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A head of the queue that a gateway should start, with the servers free for it."""

    task_id: str
    lane: str
    turn: int
    candidates: Candidates
    tried: frozenset[str] = frozenset()
    model: str = ""  # that it runs with


@dataclass(frozen=True, slots=True)
class Ticked:
    """What one round of due timers did. `more`: the round was full, call again. `probes`: servers whose
    `endpoints.health` this gateway is to ask now."""

    handled: int
    more: bool
    probes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Held:
    """A lease that this gateway renews."""

    task_id: str
    server_id: str
    fence: int


@dataclass(frozen=True, slots=True)
class Cancelled:
    """A cancelled task, and the attempt that may still run for it."""

    server_id: str | None = None
    fence: int = 0
    already: bool = False
