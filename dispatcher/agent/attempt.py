"""A task at work: what its runner is given, and what may be wanted of it meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import BinaryIO

from dispatcher.agent.log import TaskLog
from dispatcher.agent.task import Task

Upload = Callable[[str, BinaryIO], Awaitable[None]]  # (path among the files of the task, what to send)


class Attempt:
    """`stopped` is done, with the reason, when the task must not go on."""

    def __init__(self, task: Task, log: TaskLog, upload: Upload) -> None:
        self.task = task
        self.log = log
        self.upload = upload
        self.stopped: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.paused = False
        self._on_pause: Callable[[bool], None] | None = None

    def stop(self, reason: str) -> None:
        """The first reason counts."""
        if not self.stopped.done():
            self.stopped.set_result(reason)

    def pause(self, on: bool) -> None:
        """Hold it, or let it go on."""
        if self.paused != on:
            self.paused = on
            if self._on_pause is not None:
                self._on_pause(on)

    def when_paused(self, act: Callable[[bool], None] | None) -> None:
        """The runner's way to hold the work; called at once for a task that is held already."""
        self._on_pause = act
        if act is not None and self.paused:
            act(True)
