"""What can be done with a task once it is there."""

from collections.abc import Sequence
from contextlib import suppress

from dispatcher.domain.clock import Clock, SystemClock
from dispatcher.domain.errors import DispatchError, Forbidden, Invalid, NotFound, RateState, counted
from dispatcher.domain.failure import Outcome, Verdict
from dispatcher.domain.grant import Cancelled
from dispatcher.domain.ids import is_id
from dispatcher.domain.metrics import HISTORY_MAX, MetricsPoint, check_bounds
from dispatcher.domain.principal import Owner, Principal
from dispatcher.domain.reporter import Reporter
from dispatcher.domain.task import Task
from dispatcher.domain.transitions import TaskState
from dispatcher.service.background import Background
from dispatcher.service.dispatch import Dispatch
from dispatcher.service.endings import Endings
from dispatcher.service.ports import Forwarder, RateRule, ServerStore, TaskQuery, TaskStore
from dispatcher.service.waits import Waits

REASON_MAX = 1_000  # characters


def _not_found(task_id: str) -> NotFound:
    return NotFound(f"Task not found: {task_id[:80]}")


def _check(task_id: str, reason: str) -> None:
    if not is_id(task_id):
        raise _not_found(task_id)
    if len(reason) > REASON_MAX:
        raise Invalid(f"reason must be at most {REASON_MAX} characters", field="reason")


def _owner(principal: Principal) -> Owner | None:
    return None if principal.is_admin else principal.owner


class Tasks:
    """A task of another origin or owner does not exist for the caller; an admin sees all of the origin."""

    def __init__(
        self,
        tasks: TaskStore,
        servers: ServerStore,
        forwarder: Forwarder,
        waits: Waits,
        dispatch: Dispatch,
        *,
        gateway: str,
        clock: Clock | None = None,
    ) -> None:
        self._tasks = tasks
        self._servers = servers
        self._forwarder = forwarder
        self._waits = waits
        self._dispatch = dispatch
        self._endings = Endings(tasks, waits, gateway=gateway, clock=clock or SystemClock())
        self._background = Background()

    async def get(
        self,
        principal: Principal,
        task_id: str,
        *,
        origin: str,
        rate: RateRule | None = None,
        wait_ms: int = 0,
        payload: bool = False,
    ) -> tuple[Task, RateState | None]:
        """One task (with its payload when asked); with `wait_ms` > 0 as it is at its end, or after that time.

        Raises NotFound, RateLimited.
        """
        if not is_id(task_id):
            raise _not_found(task_id)
        found, state = await self._tasks.get(task_id, rate=rate, payload=payload)
        with counted(state):
            task = self._visible(principal, found, task_id, origin)
            if wait_ms > 0 and not task.ended:
                task = self._visible(principal, await self._endings.wait(task_id, wait_ms), task_id, origin)
        return task, state

    async def find(
        self,
        principal: Principal,
        *,
        origin: str,
        states: tuple[TaskState, ...] = (),
        offset: int = 0,
        limit: int = 100,
        everybody: bool = False,
        facets: tuple[str, ...] = (),
    ) -> tuple[list[Task], int]:
        """A page of the principal's tasks, or (admins) of everybody's, newest first, and how many match.

        Raises Forbidden.
        """
        if everybody and not principal.is_admin:
            raise Forbidden("Only an admin may list the tasks of everybody")
        owner = None if everybody else principal.owner
        return await self._tasks.find(TaskQuery(origin, owner, states, offset, limit, facets))

    async def report(
        self,
        task_id: str,
        *,
        origin: str | None,
        by: Reporter,
        outcome: Outcome | None,
        progress: float | None,
        lease_ms: int | None = None,
        metrics: bytes | None = None,
        checkpoint: str | None = None,
    ) -> Task:
        """A worker's word on its attempt: progress, an end, or both; the slot that an end frees is used at once. With
        `origin` None the task may have come by any API.

        `metrics` is a JSON object of at most 16 KiB, `checkpoint` at most 4,096 characters.
        Raises Invalid, NotFound, StaleAttempt, Forbidden, ConflictingResult, AlreadyEnded, IllegalState.
        """
        check_bounds(metrics, checkpoint)
        task = await self._known(task_id, origin)
        more = bool(metrics or checkpoint)
        percent = task.progress if progress is None else progress
        if outcome is None:
            if progress is None and not more:
                return task
            return await self._tasks.progress(
                task_id, by, percent, lease_ms=lease_ms, metrics=metrics, checkpoint=checkpoint
            )
        if more or (progress is not None and outcome.verdict is not Verdict.COMPLETED):
            with suppress(DispatchError):  # of a repeated end, for one: `finish` judges that
                await self._tasks.progress(task_id, by, percent, metrics=metrics, checkpoint=checkpoint)
        await self._dispatch.report(task, by, outcome)
        return await self._known(task_id, origin, result=True)

    async def held_by(self, server_id: str, task_id: str, *, origin: str) -> Task:
        """A task with its payload, for the worker that has or last had it. Raises NotFound for any other."""
        found, _ = await self._tasks.get(task_id, payload=True) if is_id(task_id) else (None, None)
        if found is None or found.origin != origin or found.server_id != server_id:
            raise _not_found(task_id)
        return found

    async def first_holder(self, task_id: str, *, origin: str) -> str:
        """The worker that has the first rank of a task, or had it last, for the workers of the other ranks.

        Raises NotFound.
        """
        task = await self._known(task_id, origin)
        if task.server_id is None:
            raise _not_found(task_id)
        return task.server_id

    async def origin_of(self, task_id: str) -> str:
        """The API that a task came by. Raises NotFound."""
        found, _ = await self._tasks.get(task_id, result=False)
        if found is None:
            raise _not_found(task_id)
        return found.origin

    async def running(self, server_ids: Sequence[str]) -> dict[str, list[Task]]:
        """What each of these servers runs now, the last started first."""
        return await self._tasks.running(server_ids)

    async def cancel(self, principal: Principal, task_id: str, *, origin: str, waiting_only: bool = False) -> Cancelled:
        """End a task as CANCELLED and ask its server to stop, best-effort; with `waiting_only` not one that runs.
        Raises NotFound, IllegalState."""
        if not is_id(task_id):
            raise _not_found(task_id)
        cancelled = await self._tasks.cancel(task_id, origin=origin, owner=_owner(principal), waiting_only=waiting_only)
        self._waits.ended(task_id)
        if cancelled.server_id is not None and not cancelled.already:
            self._background.spawn(self._stop(task_id, cancelled.server_id, cancelled.fence))
        return cancelled

    async def pause(self, principal: Principal, task_id: str, *, origin: str, reason: str = "") -> None:
        """Hold a task back until it is resumed; its deadline goes on counting. Already paused: nothing changes.

        `reason`: at most 1,000 characters, for people. Raises Invalid, NotFound, IllegalState (it has ended),
        NoControl (it runs on a worker that cannot be told).
        """
        _check(task_id, reason)
        await self._tasks.pause(task_id, origin=origin, owner=_owner(principal), reason=reason)

    async def resume(self, principal: Principal, task_id: str, *, origin: str, reason: str = "") -> None:
        """Let a paused task go on; one that is not paused stays as it is. Raises as `pause`, but for NoControl."""
        _check(task_id, reason)
        await self._tasks.resume(task_id, origin=origin, owner=_owner(principal), reason=reason)

    async def history(self, principal: Principal, task_id: str, *, origin: str, limit: int = 100) -> list[MetricsPoint]:
        """The last `limit` (1 to 256) reports with metrics, the newest last. Raises Invalid, NotFound."""
        if not 1 <= limit <= HISTORY_MAX:
            raise Invalid(f"limit must be between 1 and {HISTORY_MAX}", field="limit")
        await self.get(principal, task_id, origin=origin)
        return await self._tasks.history(task_id, limit=limit)

    async def delete(self, principal: Principal, task_id: str, *, origin: str) -> None:
        """Remove an ended task. Raises NotFound, IllegalState when it has not ended."""
        if not is_id(task_id):
            raise _not_found(task_id)
        await self._tasks.delete(task_id, origin=origin, owner=_owner(principal))

    async def close(self, timeout_s: float = 1.0) -> None:
        """Let requests to stop go out for `timeout_s`, then drop them."""
        await self._background.wait(timeout_s)
        await self._background.close()

    async def _stop(self, task_id: str, server_id: str, fence: int) -> None:
        with suppress(DispatchError, OSError):  # the slot then ends with its lease
            server = await self._servers.get(server_id)
            if await self._forwarder.cancel(server, task_id, fence):
                await self._tasks.free_slot(task_id, server_id, fence)

    async def _known(self, task_id: str, origin: str | None, *, result: bool = False) -> Task:
        task = (await self._tasks.get(task_id, result=result))[0] if is_id(task_id) else None
        if task is None or origin not in (None, task.origin):
            raise _not_found(task_id)
        return task

    def _visible(self, principal: Principal, task: Task | None, task_id: str, origin: str) -> Task:
        if task is None or task.origin != origin or not (principal.is_admin or task.owner == principal.owner):
            raise _not_found(task_id)
        return task
