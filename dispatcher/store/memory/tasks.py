"""The task store in dicts."""

from collections.abc import Sequence

from dispatcher.domain.errors import IllegalState, NotFound, RateState
from dispatcher.domain.event import TaskUpdate
from dispatcher.domain.failure import Outcome
from dispatcher.domain.grant import Cancelled, Claim, Created, Finished, Grant, Held, Ticked, Waiting
from dispatcher.domain.metrics import MetricsPoint
from dispatcher.domain.principal import Owner
from dispatcher.domain.reporter import ByAttempt, Reporter
from dispatcher.domain.task import AttemptStatus, NewTask, Task
from dispatcher.domain.transitions import TaskEvent, TaskState
from dispatcher.service.ports import IdempotencyKey, RateRule, TaskQuery
from dispatcher.store.memory import attempts, claims, create, fleet, pauses, reports, timers
from dispatcher.store.memory.state import State
from dispatcher.store.memory.task_rows import TaskRow


class MemoryTasks:
    """Implements `TaskStore`."""

    def __init__(self, state: State) -> None:
        self._s = state

    async def create(
        self,
        task: NewTask,
        *,
        gateway: str,
        rate: RateRule | None = None,
        key: IdempotencyKey | None = None,
        waiter: bool = False,
    ) -> Created:
        return create.create(self._s, task, gateway=gateway, rate=rate, key=key, waiter=waiter)

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
        return claims.claim(
            self._s, task_id, server_id, claim_id=claim_id, nonce=nonce, gateway=gateway, lease_ms=lease_ms,
            expected_load=expected_load, instead=instead, last=last,
        )  # fmt: skip

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
        return claims.claim_next(
            self._s, server_id, claim_id=claim_id, nonce=nonce, gateway=gateway, lease_ms=lease_ms, note=note,
            session=session,
        )  # fmt: skip

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
        return reports.finish(
            self._s, task_id, by, outcome, gateway=gateway, retry_delay_ms=retry_delay_ms, want_next=want_next,
            want_task=want_task,
            lease_ms=lease_ms,
        )  # fmt: skip

    async def accept(self, task_id: str, by: ByAttempt, *, lease_ms: int) -> bool:
        return reports.accept(self._s, task_id, by, lease_ms)

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
        return reports.progress(
            self._s, task_id, by, percent, lease_ms=lease_ms, metrics=metrics or b"", checkpoint=checkpoint or ""
        )

    async def history(self, task_id: str, *, limit: int = 100) -> list[MetricsPoint]:
        row = self._s.tasks.get(task_id)
        return list(row.history)[-limit:] if row is not None else []

    async def pause(self, task_id: str, *, origin: str, owner: Owner | None, reason: str = "") -> None:
        pauses.pause(self._s, self._owned(task_id, origin, owner), reason)

    async def resume(self, task_id: str, *, origin: str, owner: Owner | None, reason: str = "") -> None:
        pauses.resume(self._s, self._owned(task_id, origin, owner), reason)

    async def renew(self, held: Sequence[Held], *, gateway: str, lease_ms: int) -> frozenset[Held]:
        return frozenset(one for one in held if not self._renewed(one, gateway, lease_ms))

    def _renewed(self, one: Held, gateway: str, lease_ms: int) -> bool:
        """Extend one lease; False when it is lost."""
        s = self._s
        row, server = s.tasks.get(one.task_id), s.servers.get(one.server_id)
        attempt = row.attempt if row is not None else None
        if row is None or attempt is None or (attempt.fence, attempt.server_id) != (one.fence, one.server_id):
            return False
        if row.lives:
            if not attempt.accepted and server is not None:
                attempt.gateway = gateway
                server.slots[row.id, attempt.fence] = s.now + lease_ms
            return True
        slot = (row.id, attempt.fence)
        if server is not None and slot in server.slots:  # its call is still open
            server.slots[slot] = max(server.slots[slot], min(s.now + lease_ms, attempt.deadline_ms))
            return True
        return not row.ended  # a late report could still save it

    async def cancel(self, task_id: str, *, origin: str, owner: Owner | None, waiting_only: bool = False) -> Cancelled:
        s, row = self._s, self._owned(task_id, origin, owner)
        if row.ended and row.state is not TaskState.CANCELLED:
            raise IllegalState(f"Task is {row.state}")
        if row.ended:
            return Cancelled(already=True)
        if waiting_only and row.lives:
            raise IllegalState(f"Task is {row.state}")
        attempt = row.attempt
        running = row.lives
        if running:
            attempts.close(s, row, AttemptStatus.CANCELLED, "")
        attempts.end_task(s, row, TaskEvent.CANCEL, None)
        if attempt is None or not self._slot_held(attempt.server_id, row.id, attempt.fence):
            return Cancelled()
        if running:
            s.hub.tell(attempt.gateway, "cancel", row.id)
        return Cancelled(attempt.server_id, attempt.fence)

    async def free_slot(self, task_id: str, server_id: str, fence: int) -> None:
        s = self._s
        row = s.tasks.get(task_id)
        if row is not None and row.lives and row.fence == fence:
            return
        if fleet.drop_slot(s, server_id, task_id, fence):
            fleet.wake(s, s.servers.get(server_id))

    async def retry(self, task_id: str, *, origin: str, owner: Owner | None, waiting_ms: int | None) -> Created:
        return create.reopen(self._s, self._owned(task_id, origin, owner), waiting_ms)

    async def delete(self, task_id: str, *, origin: str, owner: Owner | None) -> None:
        row = self._owned(task_id, origin, owner)
        if not row.ended:
            raise IllegalState(f"Task is {row.state}")
        del self._s.tasks[task_id]
        self._s.hub.event("task.deleted", {"id": row.id, "state": "DELETED", "origin": origin})

    async def get(
        self, task_id: str, *, rate: RateRule | None = None, result: bool = True, payload: bool = False
    ) -> tuple[Task | None, RateState | None]:
        state = self._s.counters.rate(rate, self._s.now) if rate is not None else None
        row = self._s.tasks.get(task_id)
        return (row.view(full=True, result=result, payload=payload) if row is not None else None), state

    async def find(self, query: TaskQuery) -> tuple[list[Task], int]:
        rows = [
            row
            for row in self._s.tasks.values()
            if row.new.origin == query.origin
            and query.owner in (None, row.new.owner)
            and (not query.states or row.state in query.states)
            and (not query.facets or not set(query.facets).isdisjoint(row.facets))
        ]
        rows.sort(key=lambda row: (row.created_ms, row.id), reverse=True)
        return [row.view() for row in rows[query.offset : query.offset + query.limit]], len(rows)

    async def running(self, server_ids: Sequence[str]) -> dict[str, list[Task]]:
        found: dict[str, list[Task]] = {}
        for server_id in server_ids:
            rows = [row for row, _ in attempts.running_on(self._s, server_id)]
            rows.sort(key=lambda row: (-(row.started_ms or 0), row.id))
            found[server_id] = [row.view() for row in rows]
        return found

    async def holding(self, server_id: str) -> list[tuple[Held, Task | None]]:
        server = self._s.servers.get(server_id)
        slots = sorted(server.slots) if server is not None else []
        handed = server.handed[0] if server is not None and server.handed is not None else None
        rows = [(Held(slot[0], server_id, slot[1]), self._s.tasks.get(slot[0])) for slot in slots if slot != handed]
        return [(held, row.view() if row is not None else None) for held, row in rows]

    async def updates(self, task_id: str, after_rev: int) -> tuple[list[TaskUpdate], bool]:
        row = self._s.tasks.get(task_id)
        if row is None:
            return [], False
        trimmed = row.updates[0].rev > after_rev + 1
        return [update for update in row.updates if update.rev > after_rev], trimmed

    async def watch(self, task_id: str, gateway: str) -> bool:
        row = self._s.tasks.get(task_id)
        return row is not None and create.watch(self._s, row, gateway)

    async def tick(self, *, gateway: str, limit: int = 64) -> Ticked:
        return timers.tick(self._s, limit)

    async def peek(self, *, limit: int = 64) -> list[Waiting]:
        return claims.peek(self._s, limit)

    def _owned(self, task_id: str, origin: str, owner: Owner | None) -> TaskRow:
        row = self._s.tasks.get(task_id)
        if row is None or row.new.origin != origin or owner not in (None, row.new.owner):
            raise NotFound(f"Task not found: {task_id}")
        return row

    def _slot_held(self, server_id: str, task_id: str, fence: int) -> bool:
        server = self._s.servers.get(server_id)
        return server is not None and (task_id, fence) in server.slots
