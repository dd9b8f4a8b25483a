"""What a predict function may know about its call and say to the gateway."""

import threading
from collections.abc import Callable

from dispatcher_sdk.backend.job import Job


class Context:
    """The call that a predict function serves. All of it may be used from any thread."""

    def __init__(self, job: Job, report_progress: Callable[[float], None]) -> None:
        self._job = job
        self._report_progress = report_progress
        self._cancelled = threading.Event()
        self._paused = threading.Event()

    @property
    def task_id(self) -> str:
        """The task's id, the same over all attempts."""
        return self._job.task_id

    @property
    def type(self) -> str:
        """The task's type."""
        return self._job.type

    @property
    def attempt(self) -> int:
        """The number of the attempt, from 1; it grows when a later attempt joins this running call."""
        return self._job.attempt

    @property
    def deadline(self) -> int | None:
        """When the gateway gives the attempt up, in epoch ms; None when it never does."""
        return self._job.deadline

    @property
    def traceparent(self) -> str | None:
        """The W3C trace context of the call, to hand on to other services."""
        return self._job.traceparent

    @property
    def cancelled(self) -> bool:
        """Whether nobody wants the result any more. A long function looks now and then, and returns early."""
        return self._cancelled.is_set()

    @property
    def paused(self) -> bool:
        """Whether the task's owner asked to hold it back. A function that looks may wait until it is no more; only
        with transport socket can the gateway say so."""
        return self._paused.is_set()

    def progress(self, percent: float) -> None:
        """Report progress, 0 to 100. It never goes back, and is sent at most once a second."""
        self._report_progress(percent)

    def adopt(self, job: Job) -> None:
        """Go on as a later attempt of the same task."""
        self._job = job

    def pause(self, on: bool) -> None:
        """Say that the task is held back, or no more."""
        (self._paused.set if on else self._paused.clear)()

    def cancel(self) -> None:
        """Say that nobody wants the result any more."""
        self._cancelled.set()
