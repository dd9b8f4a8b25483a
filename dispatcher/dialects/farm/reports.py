"""Progress reports on their way to the store: of each task the newest, in rounds that keep a distance."""

import asyncio
from collections.abc import Awaitable, Callable

from dispatcher.dialects.farm.messages import TaskProgress

APART_S = 0.1

Send = Callable[[TaskProgress], Awaitable[None]]
Pause = Callable[[float], Awaitable[None]]


class Reports:
    """What comes in between two rounds becomes one report: the last progress, all metrics, the last checkpoint."""

    def __init__(self, send: Send, *, pause: Pause = asyncio.sleep) -> None:
        self._send = send
        self._pause = pause
        self._waiting: dict[str, TaskProgress] = {}
        self._there = asyncio.Event()

    def put(self, report: TaskProgress) -> None:
        before = self._waiting.get(report.task_id)
        self._waiting[report.task_id] = report if before is None else _joined(before, report)
        self._there.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._there.wait()
            self._there.clear()
            for task_id in list(self._waiting):
                await self.flush(task_id)
            await self._pause(APART_S)

    async def flush(self, task_id: str) -> None:
        """Send at once what waits of a task: its end is about to be reported."""
        report = self._waiting.pop(task_id, None)
        if report is not None:
            await self._send(report)


def _joined(before: TaskProgress, report: TaskProgress) -> TaskProgress:
    if before.attempt != report.attempt:
        return report
    return report.model_copy(
        update={
            "metrics": {**before.metrics, **report.metrics},
            "checkpoint_path": report.checkpoint_path or before.checkpoint_path,
        }
    )
