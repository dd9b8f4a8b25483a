"""The records that the in-memory store keeps of tasks, and the views that callers get of them."""

from collections import deque
from dataclasses import dataclass, field

from dispatcher.domain.event import TaskUpdate
from dispatcher.domain.failure import Verdict
from dispatcher.domain.log import LogLine
from dispatcher.domain.metrics import MetricsPoint
from dispatcher.domain.task import Attempt, NewTask, Task, TaskError
from dispatcher.domain.transitions import TERMINAL, TaskState

FOREVER_MS = 9_999_999_999_999  # the deadline of an attempt that has none


@dataclass(slots=True)
class AttemptRow:
    """The current attempt of a task, or the last one after its end; None again after an explicit retry."""

    fence: int
    server_id: str
    nonce: str
    gateway: str
    started_ms: int
    deadline_ms: int
    lease_ms: int
    accepted: set[str] = field(default_factory=set)  # the servers that hold its lease themselves
    missing: dict[str, int] = field(default_factory=dict)  # `running` lists of a server in a row without it


@dataclass(frozen=True, slots=True)
class End:
    """The last end recorded for an attempt of the task, and the grant that was answered with it."""

    fence: int
    nonce: str
    server_id: str
    verdict: Verdict
    digest: str
    grant: tuple[str, int] | None = None  # task, fence


@dataclass(slots=True)
class RankRow:
    """One rank of a gang's attempt."""

    server_id: str
    progress: float = 0.0
    end: tuple[Verdict, str] | None = None  # and its digest
    result: bytes = b""  # of rank 0, until the gang completes with it


@dataclass(slots=True)
class Log:
    """What a task said. `own` is how far each rank has sent its lines: rank -> attempt, number of its next line."""

    lines: deque[tuple[LogLine, int]] = field(default_factory=deque)  # with their bytes
    size: int = 0
    last: int = 0
    own: dict[int, tuple[int, int]] = field(default_factory=dict)


@dataclass(slots=True)
class TaskRow:
    new: NewTask
    lane: str
    created_ms: int
    score: int  # microseconds; the smaller, the sooner
    state: TaskState
    updated_ms: int
    queued_ms: int  # when it first entered the queue, in this run
    since_ms: int  # when it last did
    deadline_ms: int | None
    waiting_deadline_ms: int | None
    run_at_ms: int | None
    updates: deque[TaskUpdate]
    history: deque[MetricsPoint]
    rev: int = 0
    progress: float = 0.0
    fence: int = 0
    server_id: str | None = None
    note: str = ""
    started_ms: int | None = None
    ended_ms: int | None = None
    retry_at_ms: int | None = None
    no_budget_since_ms: int | None = None
    failures: int = 0
    losses: int = 0
    run: int = 0
    run_started: bool = False  # this run had its first attempt
    attempt: AttemptRow | None = None
    end: End | None = None
    claim: tuple[str, str, int] | None = None  # claim id, task and fence that it was answered with
    ranks: list[RankRow] = field(default_factory=list)  # of a gang's current or last attempt
    ranked: set[str] = field(default_factory=set)  # workers that ever had one
    passed_ms: int | None = None  # since when too few workers wait for this gang
    right_until_ms: int = 0
    right_of: str = ""
    turn: int = 0  # of the last answer with candidates
    short_since_ms: int | None = None  # when it was first passed by for want of room
    reserves: str = ""  # the server that is kept for it
    tried: list[str] = field(default_factory=list)
    declined: list[str] = field(default_factory=list)  # servers that may not run it, or cannot
    decline: str = ""  # what the last of them said
    nobody: bool = False  # when others were looked for last, there were none
    waited_ms: int | None = None  # the waiting deadline that its last start ended
    look_ms: int | None = None  # when others are looked for again
    waiters: list[str] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    result: bytes | None = None
    error: TaskError | None = None
    cause: TaskError | None = None  # why the last attempt failed
    halted_ms: int | None = None  # when the attempt of a paused task was told to wait; it lives on
    reason: str = ""
    metrics: bytes = b""
    checkpoints: dict[int, str] = field(default_factory=dict)  # rank -> where it left off
    log: Log | None = None

    def left_off(self, rank: int) -> str:
        """Its own checkpoint, or the one of rank 0."""
        return self.checkpoints.get(rank) or self.checkpoints.get(0, "")

    @property
    def id(self) -> str:
        return self.new.id

    @property
    def facets(self) -> tuple[str, ...]:
        return (self.server_id,) if self.new.by_server and self.server_id else self.new.facets

    @property
    def ended(self) -> bool:
        return self.state in TERMINAL

    @property
    def lives(self) -> bool:
        """An attempt holds a lease on it."""
        return self.state is TaskState.PROCESSING or self.halted_ms is not None

    def due_deadline_ms(self) -> int | None:
        """The nearest deadline that still counts."""
        return min((d for d in (self.deadline_ms, self.waiting_deadline_ms) if d is not None), default=None)

    def view(self, *, full: bool = False, result: bool = False, payload: bool = False) -> Task:
        new = self.new
        return Task(
            id=new.id, origin=new.origin, owner=new.owner, type=new.type, lane=self.lane, points=new.points,
            state=self.state, created_ms=self.created_ms, updated_ms=self.updated_ms, rev=self.rev, spec=new.spec,
            progress=self.progress, fence=self.fence, server_id=self.server_id, note=self.note,
            started_ms=self.started_ms,
            ended_ms=self.ended_ms, run_at_ms=self.run_at_ms, retry_at_ms=self.retry_at_ms,
            deadline_ms=self.deadline_ms, timeout_ms=new.timeout_ms, failures=self.failures, losses=self.losses,
            run=self.run, gang=new.demand.gang, attempt_lives=self.lives, error=self.error,
            reason=self.reason, metrics=self.metrics, checkpoint=self.left_off(0),
            result=self.result if result else None,
            payload=new.payload if payload else None, needs=new.needs, model=new.model,
            attempts=tuple(self.attempts) if full else (),
        )  # fmt: skip
