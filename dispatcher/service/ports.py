"""What the use cases need from the outside, in their own words.

Implemented by `store` (Redis), by `store.memory` (the same in dicts: the executable specification) and by `forward`.
Every method of the stores is atomic and safe to repeat with identical arguments when its reply was lost.
All times are epoch milliseconds of the store's clock.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from dispatcher.domain.errors import RateState
from dispatcher.domain.event import FleetEvent, InboxMessage, TaskUpdate
from dispatcher.domain.failure import Accepted, Outcome
from dispatcher.domain.grant import Cancelled, Claim, Created, Finished, Grant, Held, Ticked, Waiting
from dispatcher.domain.lane import Demand
from dispatcher.domain.principal import Owner
from dispatcher.domain.registry import Registry
from dispatcher.domain.reporter import ByAttempt, Reporter
from dispatcher.domain.server import NewServer, Server, ServerHealth
from dispatcher.domain.stats import Counts, DayStats
from dispatcher.domain.task import NewTask, Task
from dispatcher.domain.transitions import TaskState


@dataclass(frozen=True, slots=True)
class RateRule:
    """At most `limit` calls per fixed minute, counted under (`name`, `key`) over all gateways. 0 = unlimited."""

    name: str
    key: str
    limit: int


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A caller's key for a create; `digest` is that of its body. Counted per owner, kept `ttl_ms`."""

    key: str
    digest: str
    ttl_ms: int = 86_400_000


@dataclass(frozen=True, slots=True)
class TaskQuery:
    """Which tasks to list. Without `owner` those of everybody (admins). Newest first."""

    origin: str
    owner: Owner | None
    states: tuple[TaskState, ...] = ()  # empty = all
    offset: int = 0
    limit: int = 100
    facets: tuple[str, ...] = ()  # any of these; empty = all


class TaskStore(Protocol):
    async def create(
        self,
        task: NewTask,
        *,
        gateway: str,
        rate: RateRule | None = None,
        key: IdempotencyKey | None = None,
        waiter: bool = False,
    ) -> Created:
        """Persist and enqueue a task. With `waiter` the gateway's inbox gets `ended` when it ends.

        In this order, each refusal leaving everything but the rate count as it was: RateLimited; a known `key` with
        another digest: KeyReused; a known `key`: the first task (`replayed`); QuotaExceeded (the tenant's bound on
        live tasks, bytes or lanes); Unavailable (the namespace's bound); Invalid (deadline or runAt in the past of
        the store's clock; a past runAt means now).
        Free servers of its lane exist: answers turn and candidates, and nobody else may take it for 250 ms.
        """
        ...

    async def claim(
        self,
        task_id: str,
        server_id: str,
        *,
        claim_id: str,
        nonce: str,
        gateway: str,
        lease_ms: int,
        expected_load: float | None = None,
        instead: Sequence[str] = (),
        last: bool = False,
    ) -> Claim:
        """Start an attempt of a PENDING task on a server: fence + 1, slot, lease, attempt time-out; or refuse.

        `expected_load` (least-connections) is the load the caller saw. Moved when it is off by more than one task
        now, or by so much above the least loaded free server's; with `instead` the least loaded free one of these
        servers is taken then, the first of equals.
        `last`, or that no other server is free, ends the caller's first right when this claim is refused.
        A repeated `claim_id` answers as before.
        """
        ...

    async def claim_next(
        self, server_id: str, *, claim_id: str, nonce: str, gateway: str, lease_ms: int, note: str = ""
    ) -> Grant | None:
        """The next task for a worker that fetches its work, started on it, or None when there is none for it now.

        `note` (at most 1,000 characters, control characters become spaces) is kept with the attempt.
        The worker holds the lease: its heartbeats and reports renew it. The call is a sign of life. A repeated
        `claim_id` answers as before. Raises NotFound for an unregistered worker.
        """
        ...

    async def finish(
        self,
        task_id: str,
        by: Reporter,
        outcome: Outcome,
        *,
        gateway: str,
        retry_delay_ms: int,
        want_next: str | None = None,
        want_task: bool = False,
        lease_ms: int = 15_000,
    ) -> Finished:
        """End an attempt; state, slot, statistics, event and waiters in one step. See `Verdict` for the rules.

        `want_next` is a fresh nonce: the server's freed slot is given the next fitting queued task, held by this
        gateway under that nonce. A repeat of the same end (fence, verdict, digest) answers the same, with the same
        grant. With `want_task` the answer holds the ended task (somebody waits for it: saves a read). A report with the
        current fence on a PENDING or RETRYING task (no newer grant) is accepted.
        The result of a FAILED outcome is kept too when it has one.
        Raises NotFound; StaleAttempt (older attempt, void token, a holder that lost it); Forbidden (a server that
        never held it); ConflictingResult (same attempt, another end recorded); AlreadyEnded (CANCELLED, TIMEOUT...:
        with the current fence the slot that stayed behind is freed); IllegalState (ByAdmin without any attempt yet).
        """
        ...

    async def accept(self, task_id: str, by: ByAttempt, *, lease_ms: int) -> bool:
        """The server answered 202: from now on its heartbeats carry the lease. False when the attempt is stale."""
        ...

    async def progress(self, task_id: str, by: Reporter, percent: float, *, lease_ms: int | None = None) -> Task:
        """Record progress 0..100 of the current attempt; a lower value than the stored one changes nothing.
        Renews the lease of an attempt that its worker holds, by `lease_ms` (default: as for accepted ones).

        Raises as `finish`. Answers the task (without result).
        """
        ...

    async def renew(self, held: Sequence[Held], *, gateway: str, lease_ms: int) -> frozenset[Held]:
        """Renew leases and slots held by this gateway; of an ended task only its slot that stayed behind, up to the
        attempt's time-out. Answers those that are lost (stale): whose calls must be given up."""
        ...

    async def cancel(self, task_id: str, *, origin: str, owner: Owner | None, waiting_only: bool = False) -> Cancelled:
        """End a task as CANCELLED; its slot stays until the server is known to have stopped.

        `owner` None = an admin. Raises NotFound (also for other owners'), IllegalState when it ended otherwise.
        Already cancelled: `already`, nothing changes. With `waiting_only` a running task is an IllegalState too.
        """
        ...

    async def free_slot(self, task_id: str, server_id: str, fence: int) -> None:
        """The server confirmed that it stopped (a 2xx of endpoints.cancel): free the slot that stayed behind."""
        ...

    async def retry(self, task_id: str, *, origin: str, owner: Owner | None, waiting_ms: int | None) -> Created:
        """Reopen a FAILED or TIMEOUT task: PENDING, run + 1, counters 0, fence kept, old token void, result and
        error cleared, `reopened` counted. It may wait for `waiting_ms` from now on (None: its deadline alone counts).
        Answers as a create. Raises NotFound, IllegalState."""
        ...

    async def delete(self, task_id: str, *, origin: str, owner: Owner | None) -> None:
        """Remove an ended task and all its traces. Raises NotFound, IllegalState when it has not ended."""
        ...

    async def get(
        self, task_id: str, *, rate: RateRule | None = None, result: bool = True, payload: bool = False
    ) -> tuple[Task | None, RateState | None]:
        """One task with result and attempts, and the rate count in the same round trip. Raises RateLimited."""
        ...

    async def find(self, query: TaskQuery) -> tuple[list[Task], int]:
        """A page of tasks without results and attempts, newest first, and how many match in all."""
        ...

    async def running(self, server_ids: Sequence[str]) -> dict[str, list[Task]]:
        """The tasks that each of these servers runs now, without results and attempts, the last started first."""
        ...

    async def updates(self, task_id: str, after_rev: int) -> tuple[list[TaskUpdate], bool]:
        """The task's updates after a revision, oldest first; True when some in between were already trimmed."""
        ...

    async def watch(self, task_id: str, gateway: str) -> bool:
        """Have this gateway's inbox told when the task ends; False when it has ended (or is not there)."""
        ...

    async def tick(self, *, gateway: str, limit: int = 64) -> Ticked:
        """Handle ripe timers: leases, time-outs, deadlines, retries, runAt, servers' heartbeats, rests; then
        retention. After an outage (no tick for half a lease) leases get a full length again before any is reaped."""
        ...

    async def peek(self, *, limit: int = 64) -> list[Waiting]:
        """Heads that waited over 250 ms while a fitting server has a free slot, in queue order."""
        ...


@dataclass(frozen=True, slots=True)
class BatchTotals:
    """What a batch must hold to be committed: tasks of one owner, origin and demand."""

    origin: str
    owner: Owner
    demand: Demand
    count: int
    size: int  # bytes of all payloads


class BatchStore(Protocol):
    """Many tasks or none. What is staged is in no list, count or queue; a minute later it is gone."""

    async def stage(self, batch_id: str, first: int, tasks: Sequence[NewTask]) -> None:
        """Hand in at most 64 tasks of a batch, at places from `first` (0 = the batch's first). No runAt, no deadline.
        Raises Unavailable for too many lanes."""
        ...

    async def commit(
        self, batch_id: str, totals: BatchTotals, *, rate: RateRule | None = None
    ) -> tuple[int, RateState | None]:
        """Make the batch valid, whatever happens next; answers its time of creation (ms). It counts as one call.

        Raises, leaving everything but the rate count as it was: RateLimited; NotFound (not all there, or older than
        a minute); QuotaExceeded; Unavailable.
        """
        ...

    async def fill(self, batch_id: str, *, limit: int = 64) -> int:
        """Put up to `limit` tasks of a committed batch into the queue; answers how many are left. `tick` does the
        same for batches whose gateway died."""
        ...


class ServerStore(Protocol):
    async def put(self, server: NewServer, *, alias: str | None = None, keep: bool = False) -> Server:
        """Register a server: online at once, next sequence number; waiting tasks are offered to it by a wake-up.
        A repeated id replaces the record, keeps the sequence and requeues its accepted attempts; with
        `keep` it changes nothing."""
        ...

    async def remove(self, server_id: str) -> None:
        """Forget a server; its running tasks go back to the queue, nothing counted. Raises NotFound."""
        ...

    async def heartbeat(
        self,
        server_id: str,
        *,
        health: ServerHealth,
        active: int | None,
        metrics: str,
        boot_id: str | None = None,
        running: Sequence[str] | None = None,
    ) -> Server:
        """Seen now: online, uptime minute, leases of its accepted attempts renewed. Never clears maintenance or an
        ejection. Another `boot_id`: its accepted attempts are lost at once. An accepted attempt missing from two
        `running` lists in a row is lost. Raises NotFound."""
        ...

    async def probed(self, server_id: str, ok: bool) -> None:
        """A health probe's answer: counts as an uptime minute and keeps it online, or takes it offline."""
        ...

    async def set_maintenance(self, server_id: str, on: bool, reason: str) -> Server:
        """No new work from now on (or again). Raises NotFound."""
        ...

    async def get(self, server_id: str) -> Server:
        """One server with its live load. Raises NotFound."""
        ...

    async def all(self) -> list[Server]:
        """All servers with live loads, by registration sequence."""
        ...

    async def snapshot(self) -> Registry:
        """The registry as this gateway knows it: re-read (only what changed) when a reply has told of a newer epoch.
        Knows the demand of every lane that a reply of this store named."""
        ...

    async def set_algorithm(self, name: str, *, by: str) -> None:
        """Switch the balancing policy of the namespace; an event, and a new epoch for every gateway."""
        ...


class StatsStore(Protocol):
    async def day(self, origin: str, owner: Owner | None, date: str) -> DayStats: ...

    async def waiting(self, origin: str, owner: Owner | None, date: str | None) -> dict[TaskState, int]:
        """How many tasks are in each live state now; with a date, of those created on that day."""
        ...

    async def standing(
        self, origin: str, owner: Owner | None, facets: Sequence[str] = ("",)
    ) -> dict[str, dict[TaskState, int]]:
        """How many tasks that are kept stand in each state now: by facet, "" for all of them."""
        ...

    async def totals(self, origin: str, owner: Owner | None) -> Counts:
        """Since ever. created + reopened - ended = live, at any instant."""
        ...

    async def server_day(self, server_id: str, date: str) -> tuple[DayStats, float]:
        """One server's day, and the share of its minutes (since registration or midnight) with a sign of life."""
        ...

    async def server_totals(self, server_id: str) -> Counts: ...

    async def busiest(self, date: str, limit: int) -> list[str]:
        """The servers on which most tasks completed or failed that day, most first; ties by id, last first."""
        ...

    async def servers_day(self, date: str, server_ids: Sequence[str]) -> dict[str, Counts]:
        """That day's counts per server (`none` may be among the ids), in one round trip."""
        ...


class Coordination(Protocol):
    """What gateways tell each other, and the limits they share."""

    async def limit(self, rule: RateRule) -> RateState:
        """Count one call. Raises RateLimited."""
        ...

    async def presence(self, gateway: str) -> int:
        """This gateway lives (3 s); answers the registry epoch."""
        ...

    async def leave(self, gateway: str) -> None: ...

    def inbox(self, gateway: str) -> AsyncIterator[InboxMessage]:
        """Messages to this gateway, from now on, until cancelled. Survives a lost connection."""
        ...

    def events(self) -> AsyncIterator[FleetEvent]:
        """The fleet's stream from now on, until cancelled."""
        ...

    async def ping(self) -> None:
        """Raises Unavailable when the store cannot be reached within a second."""
        ...

    async def durability(self) -> dict[str, str]:
        """`appendonly`, `appendfsync`, `maxmemory-policy`, `engine`, `version` as far as the store tells."""
        ...


class Forwarder(Protocol):
    async def predict(self, grant: Grant, server: Server, *, remaining_ms: int) -> Outcome | Accepted:
        """Call the server's predict endpoint and judge the answer by the failure table. Never raises but
        CancelledError."""
        ...

    async def cancel(self, server: Server, task_id: str, fence: int) -> bool:
        """Ask `endpoints.cancel` to stop an attempt; True for a 2xx."""
        ...

    async def probe(self, server: Server) -> bool:
        """True when `endpoints.health` answers 2xx within 2 s."""
        ...
