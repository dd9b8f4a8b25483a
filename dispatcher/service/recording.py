"""From what a server answered to what the store keeps of it."""

import logging
from dataclasses import replace

from dispatcher.domain.errors import DispatchError
from dispatcher.domain.failure import Outcome
from dispatcher.domain.grant import Finished
from dispatcher.domain.reporter import Reporter
from dispatcher.domain.task import Task
from dispatcher.domain.transitions import TERMINAL
from dispatcher.service.call import Call
from dispatcher.service.ports import TaskStore
from dispatcher.service.retry import OUTAGE, FullJitter, Outage
from dispatcher.service.waits import Waits

log = logging.getLogger(__name__)


class Recording:
    """Records ends, and wakes who waits for them. The answer of a call is kept for at most `keep_ms` while the store
    is out of reach; a `nonce` asks for the next task of the slot that becomes free, for a lease of `lease_ms`."""

    def __init__(
        self,
        tasks: TaskStore,
        waits: Waits,
        retry: FullJitter,
        outage: Outage,
        *,
        gateway: str,
        lease_ms: int,
        accepted_lease_ms: int,
        keep_ms: int,
    ) -> None:
        self._tasks = tasks
        self._waits = waits
        self._retry = retry
        self._outage = outage
        self._gateway = gateway
        self._lease_ms = lease_ms
        self._accepted_lease_ms = accepted_lease_ms
        self._keep_ms = keep_ms

    async def accept(self, call: Call) -> None:
        """The server has taken the task over, and keeps its lease itself. Raises Unavailable or OSError when the store
        stays out of reach."""
        await self._outage.ride_out(
            lambda: self._tasks.accept(call.grant.task_id, call.by, lease_ms=self._accepted_lease_ms),
            limit_ms=self._keep_ms,
        )

    async def finish(self, call: Call, outcome: Outcome, nonce: str | None) -> Finished | None:
        """The end of a call; None when the attempt has been superseded. Raises Unavailable or OSError when the store
        stays out of reach."""
        delay_ms = self._retry.delay_ms(call.grant.failures)
        try:
            return await self._outage.ride_out(
                lambda: self._record(call.grant.task_id, call.by, outcome, delay_ms, nonce),
                limit_ms=self._keep_ms,
            )
        except OUTAGE:
            raise
        except DispatchError as refusal:
            log.info("task %s attempt %d came too late: %s", call.grant.task_id, call.grant.fence, refusal.code)
            return None

    async def report(self, task: Task, by: Reporter, outcome: Outcome, nonce: str | None) -> Finished:
        """An end that a worker reports. Raises as `TaskStore.finish`."""
        return await self._record(task.id, by, outcome, self._retry.delay_ms(task.failures), nonce)

    async def _record(
        self, task_id: str, by: Reporter, outcome: Outcome, retry_delay_ms: int, nonce: str | None
    ) -> Finished:
        finished = await self._tasks.finish(
            task_id,
            by,
            outcome,
            gateway=self._gateway,
            retry_delay_ms=retry_delay_ms,
            want_next=nonce,
            want_task=task_id in self._waits,
            lease_ms=self._lease_ms,
        )
        if finished.state in TERMINAL:
            self._waits.ended(task_id, finished.task)
        if finished.grant is not None and finished.grant.nonce != nonce:
            return replace(finished, grant=None)  # a repeated end: whoever told it first runs that grant
        return finished
