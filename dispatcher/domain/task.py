"""A task: what was asked for, where it stands, what became of it. All times are epoch milliseconds."""

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum

from dispatcher.domain.lane import Demand
from dispatcher.domain.placement import RUNNER
from dispatcher.domain.principal import Owner
from dispatcher.domain.resources import NOTHING, Resources
from dispatcher.domain.transitions import TERMINAL, TaskState

POINTS_PER_LEVEL = 10  # one native priority level, worth `aging_ms` of waiting


@dataclass(frozen=True, slots=True)
class NewTask:
    """A task as a dialect hands it in.

    `spec` is a small JSON object that belongs to the dialect (the store keeps it and never looks inside): what the
    dialect must give back, and what goes into the predict body beside the payload. `payload` is the raw JSON bytes
    as they came. `points` is the core priority, 0..100, higher is more urgent. `boost_ms` is what that priority is
    worth in waiting time. `waiting_ms` is how long the task may wait for its first start, from its creation or from
    `run_at_ms` on; `deadline_ms` is a point in time, and holds after the start too.
    """

    id: str
    origin: str
    owner: Owner
    type: str
    demand: Demand
    points: int
    boost_ms: int
    spec: bytes
    payload: bytes
    timeout_ms: int
    attempts_max: int = 3
    run_at_ms: int | None = None
    deadline_ms: int | None = None
    waiting_ms: int | None = None
    weight: int = 1  # of the tenant, in the fair order between tenants
    facets: tuple[str, ...] = ()  # words of [A-Za-z0-9._-] that listings can be narrowed to
    by_server: bool = False  # once it has started, the server of its last attempt is its facet instead; not in batches
    needs: Resources = NOTHING  # reserved on the server while it runs
    model: str = ""  # a free server that has it in memory is preferred
    gang_restart: bool = True  # a lost rank puts the gang back into the queue; False: it ends the task
    shy: bool = False  # its workers' reports name no attempt: a worker that lost it gets it again only as the last

    @property
    def loads(self) -> str:
        """The model that whoever runs it brings into memory, if it is not there; empty for none."""
        return self.model if self.demand.kind == RUNNER else ""


def facet_word(text: str) -> str:
    """A facet that stands for any text."""
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class TaskError:
    """Why a task ended without a result. `code` is stable, `text` is for people."""

    code: str
    text: str


class AttemptStatus(StrEnum):
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"  # the server answered, and it was no result
    TIMEOUT = "timeout"
    LOST = "lost"  # lease expired, connection broken, server restarted
    BUSY = "busy"
    NOT_SENT = "not_sent"
    RELEASED = "released"  # drained or unregistered
    DECLINED = "declined"  # not allowed or not able to run it there
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One execution. `fence` numbers the attempts of a task and only ever grows."""

    fence: int
    server_id: str
    started_ms: int
    ended_ms: int | None = None
    status: AttemptStatus = AttemptStatus.RUNNING
    error: str = ""
    note: str = ""  # what the claim said of its worker


@dataclass(frozen=True, slots=True)
class Task:
    """A task as the store knows it."""

    id: str
    origin: str
    owner: Owner
    type: str
    lane: str
    points: int
    state: TaskState
    created_ms: int
    updated_ms: int
    rev: int  # grows with every change; the resume position of watchers
    spec: bytes = b"{}"
    progress: float = 0.0
    fence: int = 0
    server_id: str | None = None  # of the current or last attempt
    note: str = ""  # of that attempt
    started_ms: int | None = None
    ended_ms: int | None = None
    run_at_ms: int | None = None
    retry_at_ms: int | None = None
    deadline_ms: int | None = None
    timeout_ms: int = 0
    failures: int = 0
    losses: int = 0
    run: int = 0  # explicit retries so far
    attempt_lives: bool = False  # an attempt holds a lease (also while PAUSED)
    result: bytes | None = None  # raw JSON as it came; of a FAILED task only what its report brought
    payload: bytes | None = None  # where it was asked for
    error: TaskError | None = None
    needs: Resources = NOTHING
    model: str = ""
    gang: int = 1
    reason: str = ""  # of the last pause or resume
    metrics: bytes = b""  # JSON object of the last progress report (of rank 0) that had one
    checkpoint: str = ""  # where the last attempt left off, in its own words; the next one is told
    attempts: tuple[Attempt, ...] = field(default=())  # oldest first, the last 20

    @property
    def ended(self) -> bool:
        return self.state in TERMINAL
