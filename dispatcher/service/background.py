"""Work that outlives the request that began it."""

import asyncio
import logging
import traceback
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from dispatcher.domain.errors import DispatchError

T = TypeVar("T")

log = logging.getLogger(__name__)


def where(error: BaseException) -> str:
    """The kind of an error and the line that raised it: for logs, which never hold its text (it may quote data)."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"


class Background:
    """Strong references to running tasks: the event loop keeps only weak ones."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run `work` on its own. An error is logged, but for a DispatchError: that is an answer to whoever awaits."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if not isinstance(error, DispatchError):
            log.error("background work failed: %s", where(error))

    async def wait(self, timeout_s: float) -> bool:
        """Wait for all work, also for what it spawns meanwhile; False when the time was up first."""
        try:
            async with asyncio.timeout(timeout_s):
                while self._tasks:
                    await asyncio.wait(self._tasks)
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        """Cancel what still runs."""
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks)


async def end_all(tasks: Iterable["asyncio.Task[Any]"], *, again_s: float = 0.5) -> None:
    """Cancel tasks and wait for their end; what they raise is dropped.

    Cancelled again until they end: on Python 3.11 `asyncio.wait_for`, through which the store's client writes, can
    swallow a cancellation.
    """
    ending = pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=again_s)
    await asyncio.gather(*ending, return_exceptions=True)
