"""The tasks that one worker holds, and what it is told of them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from dispatcher.domain.grant import Grant
from dispatcher.domain.task import Task
from dispatcher.domain.transitions import TaskState
from dispatcher.service.channel import Channel, Control
from dispatcher.service.ports import TaskStore
from dispatcher.service.retry import OUTAGE, Sleep

AGAIN_S = 1.0  # until a store that was out of reach is asked again


@dataclass(slots=True)
class Holding:
    """An attempt that the worker has."""

    fence: int
    paused: bool = False  # it was told to
    ending: bool = False  # its end is being recorded


class Holdings:
    """`on_hold` and `on_drop` are told the tasks. A lock keeps a task before the words about it."""

    def __init__(
        self,
        server_id: str,
        channel: Channel,
        tasks: TaskStore,
        *,
        sleep: Sleep,
        on_hold: Callable[[str], None],
        on_drop: Callable[[str], None],
    ) -> None:
        self._server_id = server_id
        self._channel = channel
        self._tasks = tasks
        self._sleep = sleep
        self._on_hold, self._on_drop = on_hold, on_drop
        self._held: dict[str, Holding] = {}
        self._news: dict[str, None] = {}  # an ordered set
        self._lagging = True  # what it held before is not known yet
        self._told = asyncio.Event()
        self._telling = asyncio.Lock()

    def changed(self, task_id: str, state: str) -> None:
        """A task has changed, maybe one of these."""
        holding = self._held.get(task_id)
        if holding is not None and (holding.paused or state != TaskState.PROCESSING):
            self._news[task_id] = None
            self._told.set()

    def lag(self) -> None:
        """News were lost: look for yourself."""
        self._lagging = True
        self._told.set()

    def clear(self) -> None:
        """Its worker is gone."""
        for task_id in list(self._held):
            self._drop(task_id)

    @asynccontextmanager
    async def handing_down(self, grant: Grant) -> AsyncIterator[None]:
        """Around writing a task; it is held unless that fails."""
        async with self._telling:
            self._hold(grant.task_id, grant.fence)
            try:
                yield
            except BaseException:
                self._drop(grant.task_id)
                raise
            if grant.gang > 1:  # another rank may have ended it before this claim's answer came
                self._news[grant.task_id] = None
                self._told.set()

    @contextmanager
    def ending(self, task_id: str, fence: int | None) -> Iterator[None]:
        """Around recording the end of an attempt: it is held no more, whatever came of it, unless the store was out
        of reach."""
        holding = self._held.get(task_id)
        if holding is None or fence not in (None, holding.fence):
            yield
            return
        holding.ending = True
        try:
            yield
        except OUTAGE:
            holding.ending = False
            raise
        finally:
            if holding.ending and self._held.get(task_id) is holding:
                self._drop(task_id)

    async def follow(self) -> None:
        """Tell the worker what becomes of its tasks, first of those that it had before; until cancelled."""
        while True:
            while not (self._lagging or self._news):
                self._told.clear()
                await self._told.wait()
            try:
                async with self._telling:
                    await (self._catch_up() if self._lagging else self._look(next(iter(self._news))))
            except OUTAGE:
                await self._sleep(AGAIN_S)

    async def _catch_up(self) -> None:
        self._lagging = False
        try:
            found = await self._tasks.holding(self._server_id)
        except OUTAGE:
            self._lagging = True
            raise
        for gone in self._held.keys() - {held.task_id for held, _ in found}:
            self.changed(gone, "")
        for held, task in found:
            self._hold(held.task_id, held.fence)
            await self._tell(held.task_id, task)

    async def _look(self, task_id: str) -> None:
        del self._news[task_id]  # before the look: what changes meanwhile is news again
        if task_id not in self._held:
            return
        try:
            task, _ = await self._tasks.get(task_id, result=False)
        except OUTAGE:
            self._news[task_id] = None
            raise
        await self._tell(task_id, task)

    async def _tell(self, task_id: str, task: Task | None) -> None:
        """Send what the task's state means for its worker, unless that knows it."""
        holding = self._held.get(task_id)
        if holding is None or holding.ending:
            return
        if task is None or task.fence != holding.fence or not task.attempt_lives:
            self._drop(task_id)
            await self._channel.control(Control.STOP, task_id, holding.fence, _why(task, holding.fence))
        elif (task.state is TaskState.PAUSED) != holding.paused:
            holding.paused = not holding.paused
            action = Control.PAUSE if holding.paused else Control.RESUME
            await self._channel.control(action, task_id, holding.fence, task.reason)

    def _hold(self, task_id: str, fence: int) -> None:
        known = self._held.get(task_id)
        if known is None or known.fence < fence:
            self._held[task_id] = Holding(fence)
        self._on_hold(task_id)

    def _drop(self, task_id: str) -> None:
        if self._held.pop(task_id, None) is not None:
            self._on_drop(task_id)


def _why(task: Task | None, fence: int) -> str:
    if task is None:
        return "The task was removed"
    if task.fence != fence:
        return "Another attempt has the task"
    return f"The task is {task.state}"
