"""Waiting for a task's end, wherever it happens."""

import asyncio

from dispatcher.domain.clock import Clock
from dispatcher.domain.task import Task
from dispatcher.service.ports import TaskStore
from dispatcher.service.waits import Waits

LOOK_AGAIN_S = 2.0  # only for a message that got lost: never below 1


class Endings:
    """Gateways are told of ends by a message; looking again is the net below it."""

    def __init__(self, tasks: TaskStore, waits: Waits, *, gateway: str, clock: Clock) -> None:
        self._tasks = tasks
        self._waits = waits
        self._gateway = gateway
        self._clock = clock

    async def wait(
        self,
        task_id: str,
        wait_ms: int,
        *,
        told: asyncio.Future[Task | None] | None = None,
        look_again_s: float = LOOK_AGAIN_S,
    ) -> Task | None:
        """The task as it is when it has ended, or after `wait_ms`; None when it is gone.

        `told` is a future of `Waits` registered before the task was created with `waiter`; without, this gateway asks
        to be told.
        """
        if told is not None:
            await self._told(told, task_id, wait_ms, look_again_s)
            if told.done() and (at_hand := told.result()) is not None:
                return at_hand
        else:
            with self._waits.expected(task_id) as ended:
                if await self._tasks.watch(task_id, self._gateway):
                    await self._told(ended, task_id, wait_ms, look_again_s)
        task, _ = await self._tasks.get(task_id)
        return task

    async def _told(self, ended: asyncio.Future[Task | None], task_id: str, wait_ms: int, look_again_s: float) -> None:
        until = self._clock.monotonic() + wait_ms / 1000
        while (left := until - self._clock.monotonic()) > 0:
            await asyncio.wait({ended}, timeout=min(left, look_again_s))
            if ended.done():
                return
            task, _ = await self._tasks.get(task_id, result=False)
            if task is None or task.ended:
                return
