"""The records that the in-memory store keeps, and the views that callers get of them."""

from collections import deque
from dataclasses import dataclass, field

from dispatcher.domain.event import TaskUpdate
from dispatcher.domain.failure import Verdict
from dispatcher.domain.log import LogLine
from dispatcher.domain.metrics import MetricsPoint
from dispatcher.domain.placement import Placement
from dispatcher.domain.resources import NOTHING, Resources
from dispatcher.domain.server import NewServer, Server, ServerHealth, Transport
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


Slot = tuple[str, int]  # task, fence


@dataclass(slots=True)
class ServerRow:
    new: NewServer
    seq: int
    registered_ms: int
    last_seen_ms: int
    alive_ms: int  # when it must have shown life again: heartbeat or probe
    forget_at_ms: int | None = None  # it is offline, and will be unregistered then
    health: ServerHealth = ServerHealth.HEALTHY
    online: bool = True
    maintenance: bool = False
    reason: str = ""
    ejected_until_ms: int = 0
    probe_at_ms: int = 0  # when an ejection that is over is probed (again)
    ejections: int = 0  # in a row
    readmitted_ms: int = 0
    rest_until_ms: int = 0
    probation: bool = False
    faults: int = 0  # in a row
    busy: int = 0  # busy answers without Retry-After, in a row
    slots: dict[Slot, int] = field(default_factory=dict)  # -> end of the lease
    held: dict[Slot, Resources] = field(default_factory=dict)  # what the attempts in slots take of it
    reserved: str = ""  # the task that it is kept for
    models: dict[str, Placement] = field(default_factory=dict)
    placed: dict[str, Resources] = field(default_factory=dict)  # what the models in memory take of it
    loads: dict[Slot, str] = field(default_factory=dict)  # -> the model that the attempt works with
    unmeasured: set[str] = field(default_factory=set)  # models that are loaded, and have all that is left of it
    before: dict[str, Placement | None] = field(default_factory=dict)  # models that tasks are loading, as they were
    used: dict[str, int] = field(default_factory=dict)  # model -> when a task last started with it
    shown: frozenset[str] = frozenset()  # the models in memory, as gateways know them
    spared: dict[Slot, int] = field(default_factory=dict)  # -> the end that an outage gave it
    handed: tuple[Slot, int] | None = None  # a rank that it is to take at its next claim
    wants_since_ms: int | None = None  # it waits for work on its connection
    foreign: int = 0
    foreign_until_ms: int = 0
    reported_active: int | None = None
    listed_ms: int = 0  # when a list of running tasks last counted
    latency_ms: float | None = None
    metrics: str = "{}"
    boot_id: str = ""
    session: str = ""
    gateway: str = ""
    left: bool = False  # it said that it leaves

    @property
    def id(self) -> str:
        return self.new.id

    @property
    def serving(self) -> bool:
        """Online, and nobody told it to take no work."""
        return self.online and not self.maintenance

    def effective(self, now_ms: int) -> int:
        """Slots held, and what the server said it does for others."""
        return len(self.slots) + (self.foreign if now_ms < self.foreign_until_ms else 0)

    @property
    def held_soon(self) -> Resources:
        """What is held once what is loaded there is measured: that may be nothing."""
        measured = (takes for model, takes in self.placed.items() if model not in self.unmeasured)
        return sum(self.held.values(), sum(measured, NOTHING))

    @property
    def held_in_all(self) -> Resources:
        return sum(self.held.values(), sum(self.placed.values(), NOTHING))

    def use(self, model: str, now_ms: int) -> None:
        """A task starts here with a model, if it is placed here."""
        if model in self.models:
            self.used[model] = now_ms

    def drop(self, slot: Slot) -> bool:
        """Free a slot and what it holds; False when there is none."""
        self.held.pop(slot, None)
        model = self.loads.pop(slot, None)
        if model in self.before and model not in self.loads.values():  # nobody waits for it any more
            self.undo_load(model)
        return self.slots.pop(slot, None) is not None

    def release(self, model: str) -> None:
        """What the model holds is free."""
        self.placed.pop(model, None)
        self.unmeasured.discard(model)

    def undo_load(self, model: str) -> None:
        """As if a load for tasks had not been begun."""
        before = self.before.pop(model)
        self.release(model)
        if before is None:
            del self.models[model]
            self.used.pop(model, None)
        else:
            self.models[model] = before

    def free(self, now_ms: int) -> bool:
        most = 1 if self.probation else self.new.max_concurrent
        idle = self.rest_until_ms <= now_ms and not self.ejected_until_ms
        return self.serving and idle and self.effective(now_ms) < most

    @property
    def pushed(self) -> bool:
        """Work is brought to it; the others fetch, and are never chosen."""
        return self.new.transport is Transport.PUSH

    def load(self, now_ms: int) -> float:
        return self.effective(now_ms) / self.new.weight

    def view(self) -> Server:
        new = self.new
        return Server(
            id=new.id, seq=self.seq, origin=new.origin, name=new.name, endpoints=new.endpoints, offer=new.offer,
            registered_ms=self.registered_ms, last_seen_ms=self.last_seen_ms, sealed_key=new.sealed_key,
            max_concurrent=new.max_concurrent, weight=new.weight, transport=new.transport,
            health=self.health, online=self.online,
            maintenance=self.maintenance, reason=self.reason, ejected_until_ms=self.ejected_until_ms,
            rest_until_ms=self.rest_until_ms, probation=self.probation, active=len(self.slots),
            reported_active=self.reported_active, latency_ms=self.latency_ms, metrics=self.metrics,
            boot_id=self.boot_id, session=self.session, gateway=self.gateway, address=new.address,
            allocated=NOTHING if new.offer.resources is None else self.held_in_all,
            models=self.shown, left=self.left,
        )  # fmt: skip
