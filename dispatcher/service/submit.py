"""Handing in a task: new, or one that failed once more."""

from dispatcher.domain.clock import Clock, SystemClock
from dispatcher.domain.errors import Unavailable, counted
from dispatcher.domain.grant import Created
from dispatcher.domain.principal import Principal
from dispatcher.domain.task import NewTask, Task
from dispatcher.service.choice import affinity
from dispatcher.service.dispatch import Dispatch
from dispatcher.service.endings import Endings
from dispatcher.service.ports import IdempotencyKey, RateRule, TaskStore
from dispatcher.service.waits import Waits


class Submit:
    """Every task is queued first; this gateway's own dispatch of it is an optimisation."""

    def __init__(
        self, tasks: TaskStore, dispatch: Dispatch, waits: Waits, *, gateway: str, clock: Clock | None = None
    ) -> None:
        self._tasks = tasks
        self._dispatch = dispatch
        self._waits = waits
        self._gateway = gateway
        self._endings = Endings(tasks, waits, gateway=gateway, clock=clock or SystemClock())

    async def create(
        self, task: NewTask, *, rate: RateRule | None, key: IdempotencyKey | None, wait_ms: int = 0
    ) -> tuple[Created, Task | None]:
        """Create a task and start it where a server is free. With `wait_ms` > 0 it is also returned as it is at its
        end, or after that time.

        Raises as `TaskStore.create`, and Unavailable while this gateway stops. A caller who goes away (cancellation)
        changes nothing for the task.
        """
        if self._dispatch.draining:
            raise Unavailable("This gateway is shutting down")
        if wait_ms <= 0:
            return await self._create(task, rate, key, waiter=False), None
        with self._waits.expected(task.id) as ended:
            created = await self._create(task, rate, key, waiter=True)
            first = created.task_id == task.id  # a replay answers with a task that nobody promised to tell us of
            with counted(created.rate):
                return created, await self._endings.wait(created.task_id, wait_ms, told=ended if first else None)

    async def retry(self, principal: Principal, task_id: str, origin: str, waiting_ms: int | None) -> Created:
        """Reopen a FAILED or TIMEOUT task of this principal (an admin: anybody's) and start it.

        Raises NotFound, IllegalState.
        """
        owner = None if principal.is_admin else principal.owner
        created = await self._tasks.retry(task_id, origin=origin, owner=owner, waiting_ms=waiting_ms)
        if created.candidates is not None:
            task, _ = await self._tasks.get(task_id, result=False)
            if task is not None:
                self._dispatch.start(
                    task_id,
                    task.lane,
                    created.turn,
                    created.candidates,
                    task_type=task.type,
                    key=affinity(task.spec, task_id),
                    model=task.model,
                )
        return created

    async def _create(
        self, task: NewTask, rate: RateRule | None, key: IdempotencyKey | None, *, waiter: bool
    ) -> Created:
        created = await self._tasks.create(task, gateway=self._gateway, rate=rate, key=key, waiter=waiter)
        if created.candidates is not None and not created.replayed:
            self._dispatch.start(
                created.task_id,
                task.demand.lane,
                created.turn,
                created.candidates,
                task_type=task.type,
                key=affinity(task.spec, task.id),
                model=task.model,
            )
        return created
