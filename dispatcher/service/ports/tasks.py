"""Tasks: created, granted, reported on, ended."""

from collections.abc import Sequence
from typing import Protocol

from dispatcher.domain.errors import RateState
from dispatcher.domain.event import TaskUpdate
from dispatcher.domain.failure import Outcome
from dispatcher.domain.grant import Cancelled, Claim, Created, Finished, Grant, Held, Ticked, Waiting
from dispatcher.domain.metrics import MetricsPoint
from dispatcher.domain.principal import Owner
from dispatcher.domain.reporter import ByAttempt, Reporter
from dispatcher.domain.task import NewTask, Task
from dispatcher.service.ports.requests import IdempotencyKey, RateRule, TaskQuery


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
        self,
        server_id: str,
        *,
        claim_id: str,
        nonce: str,
        gateway: str,
        lease_ms: int,
        note: str = "",
        session: str = "",
    ) -> Grant | None:
        """The next task for a worker that fetches its work, started on it, or None when there is none for it now.

        `note` (at most 1,000 characters, control characters become spaces) is kept with the attempt.
        With `session` it waits on that connection: when there is nothing, that is remembered, and it may be given a
        rank of a gang that another worker's claim starts. The rank is answered to its next claim, which must come
        within seconds.
        The worker holds the lease: its heartbeats and reports renew it. The call is a sign of life. A repeated
        `claim_id` answers as before. Raises NotFound for an unregistered worker; Replaced when `session` is given
        and is not the worker's connection (any more).
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

    async def progress(
        self,
        task_id: str,
        by: Reporter,
        percent: float,
        *,
        lease_ms: int | None = None,
        metrics: bytes | None = None,
        checkpoint: str | None = None,
    ) -> Task:
        """Record progress 0..100 of the current attempt; a lower value than the stored one changes nothing.
        Renews the lease of an attempt that its worker holds, by `lease_ms` (default: as for accepted ones).

        `metrics` (a JSON object) become the task's, go into its history and are told as an update, whatever the
        percentage. `checkpoint` is kept for the grants of later attempts. Nothing or an empty value keeps the old one.
        Raises as `finish`. Answers the task (without result).
        """
        ...

    async def history(self, task_id: str, *, limit: int = 100) -> list[MetricsPoint]:
        """The last `limit` (1 to 256, all that are kept) reports with metrics, the newest last."""
        ...

    async def pause(self, task_id: str, *, origin: str, owner: Owner | None, reason: str = "") -> None:
        """Hold a task back. A waiting one leaves queue and timers; of a running one attempt, slot and lease stay, and
        its time-out stands still. Deadlines, the waiting one too, go on counting. Already PAUSED: nothing changes.

        `owner` None = an admin. Raises NotFound, IllegalState (it has ended), NoControl (it runs on a worker that
        does not hold it over a socket, and so cannot be told).
        """
        ...

    async def resume(self, task_id: str, *, origin: str, owner: Owner | None, reason: str = "") -> None:
        """Let a paused task go on: PROCESSING when its attempt lives, with what was left of its time; SCHEDULED
        before its runAt; else PENDING at its old place (a wait before a retry is over). Not PAUSED: nothing changes.

        Raises NotFound, IllegalState (it has ended).
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

    async def holding(self, server_id: str) -> list[tuple[Held, Task | None]]:
        """What a worker holds slots for, with the tasks as they are now (without results and attempts; None: removed):
        its living attempts, and those that ended without it and that it may still be at work for."""
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
