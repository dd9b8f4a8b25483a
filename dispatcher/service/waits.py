"""Who in this gateway waits for the end of a task."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from dispatcher.domain.task import Task


class Waits:
    """Local futures by task id. Told by whoever ends a task here, and by the inbox for all others."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Future[Task | None]]] = {}

    def expect(self, task_id: str) -> asyncio.Future[Task | None]:
        """A future that is done when the task ends, with the ended task where that is at hand. To be given back with
        `forget`."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(task_id, set()).add(future)
        return future

    @contextmanager
    def expected(self, task_id: str) -> Iterator[asyncio.Future[Task | None]]:
        """`expect` and `forget` around a block."""
        future = self.expect(task_id)
        try:
            yield future
        finally:
            self.forget(task_id, future)

    def ended(self, task_id: str, task: Task | None = None) -> None:
        """The task has ended: wake all who wait for it. To be repeated freely."""
        for future in self._waiting.get(task_id, ()):
            if not future.done():
                future.set_result(task)

    def give_up(self) -> None:
        """Whoever waits here gets the task as it stands: this gateway will not be told of its end any more."""
        for task_id in list(self._waiting):
            self.ended(task_id)

    def forget(self, task_id: str, future: asyncio.Future[Task | None]) -> None:
        waiting = self._waiting.get(task_id, set())
        waiting.discard(future)
        if not waiting:
            self._waiting.pop(task_id, None)

    def __contains__(self, task_id: str) -> bool:
        return task_id in self._waiting

    def __len__(self) -> int:
        """How many tasks are waited for."""
        return len(self._waiting)
