"""The calls at work: capacity, joining of repeated calls, cancellation, drain."""

import asyncio
import logging
from collections.abc import Callable

from dispatcher_sdk import _json
from dispatcher_sdk.backend.context import Context
from dispatcher_sdk.backend.functions import Function, Functions, InvalidInput, call, interruptible
from dispatcher_sdk.backend.job import Job, Outcome
from dispatcher_sdk.backend.recent import Recent
from dispatcher_sdk.backend.reports import Reporter

log = logging.getLogger("dispatcher_sdk.backend")

MakeReporter = Callable[[Job, Callable[[], None]], Reporter]

BUSY = Outcome.refused(503, "busy")
CANCELLED = Outcome.refused(422, "cancelled")


class Call:
    """One running call. Repeated requests for the same work share it."""

    def __init__(
        self, job: Job, function: Function, takes_context: bool, reporter: MakeReporter, report_end: bool
    ) -> None:
        self.job = job
        self._loop = asyncio.get_running_loop()
        self._reporter = reporter(job, self.cancel)
        self._context = Context(job, self._progress)
        self._report_end = report_end
        self._interruptible = interruptible(function)
        self._running = self._loop.create_task(self._run(function, takes_context))
        self.done = self._loop.create_task(self._finish())

    async def outcome(self) -> Outcome:
        """Wait for the end; whoever stops waiting does not stop the call."""
        return await asyncio.shield(self.done)

    def adopt(self, job: Job) -> None:
        """Serve a later attempt of the same work; an older one changes nothing."""
        if job.attempt >= self.job.attempt:
            self.job = job
            self._context.adopt(job)
            self._reporter.adopt(job)

    def cancel(self) -> None:
        """Ask for an early end. Coroutines are interrupted, other functions have to look at `ctx.cancelled`."""
        self._context.cancel()
        if self._interruptible:
            self._running.cancel()

    def pause(self, on: bool) -> None:
        """Tell the function that its task is held back, or no more."""
        self._context.pause(on)

    def _progress(self, percent: float) -> None:
        self._loop.call_soon_threadsafe(self._reporter.progress, percent)

    async def _finish(self) -> Outcome:
        await asyncio.wait({self._running})
        self._reporter.stop()
        cancelled = self._running.cancelled() or self._context.cancelled
        outcome = CANCELLED if cancelled else self._running.result()
        if self._report_end:
            await self._reporter.end(outcome)
        return outcome

    async def _run(self, function: Function, takes_context: bool) -> Outcome:
        try:
            return Outcome(200, _json.dumps(await call(function, takes_context, self.job.payload, self._context)))
        except InvalidInput as error:
            return Outcome.refused(422, str(error) or "invalid input")
        except Exception as error:
            log.exception("task %s, attempt %d failed", self.job.task_id, self.job.attempt)
            return Outcome.refused(500, f"{type(error).__name__}: {error}")


class Calls:
    """All calls of one backend, at most `max_concurrent` at once. With `report_ends` the end goes to the callback,
    and a call counts as running until that is done."""

    def __init__(
        self,
        functions: Functions,
        reporter: MakeReporter,
        *,
        max_concurrent: int,
        report_ends: bool = False,
        recent: Recent | None = None,
    ) -> None:
        self._functions = functions
        self._reporter = reporter
        self._max_concurrent = max_concurrent
        self._report_ends = report_ends
        self._recent = Recent() if recent is None else recent
        self._running: dict[str, Call] = {}
        self._draining = False
        self._changed = asyncio.Event()

    @property
    def active(self) -> int:
        """How many calls are running."""
        return len(self._running)

    @property
    def task_ids(self) -> list[str]:
        """Whose calls are running."""
        return [call.job.task_id for call in self._running.values()]

    @property
    def jobs(self) -> list[Job]:
        """What is running."""
        return [call.job for call in self._running.values()]

    @property
    def free(self) -> int:
        """How many calls more may run."""
        return max(0, self._max_concurrent - len(self._running))

    def pause(self, task_id: str, attempt: int, on: bool) -> None:
        """Hold a task's call back as far as its function looks, or no more."""
        for call_ in self._running.values():
            if (call_.job.task_id, call_.job.attempt) == (task_id, attempt):
                call_.pause(on)

    def admit(self, job: Job) -> Call | Outcome:
        """Start the job, join it when it is running already, or answer at once: a recent result or a refusal."""
        if (running := self._running.get(job.key)) is not None:
            running.adopt(job)
            return running
        if (known := self._recent.get(job.key)) is not None:
            return known
        found = self._functions.find(job.type)
        if found is None:
            return Outcome.refused(422, f"unknown type: {job.type}")
        if self._draining or len(self._running) >= self._max_concurrent:
            return BUSY
        started = Call(job, *found, self._reporter, self._report_ends)
        self._running[job.key] = started
        started.done.add_done_callback(lambda done: self._ended(job.key, done))
        return started

    async def room(self) -> None:
        """Wait until a call more may run."""
        while len(self._running) >= self._max_concurrent:
            self._changed.clear()
            await self._changed.wait()

    async def cancel(self, task_id: str, attempt: int | None, grace: float) -> bool:
        """Cancel a task's call, unless it serves a later attempt already.

        True when that attempt is certain not to run any more, at the latest after `grace` seconds; False when it is
        a function that has not looked yet.
        """
        calls = [call for call in self._running.values() if call.job.task_id == task_id]
        wanted = [call for call in calls if attempt is None or call.job.attempt <= attempt]
        for call_ in wanted:
            call_.cancel()
        if not wanted:
            return True
        _, late = await asyncio.wait({call.done for call in wanted}, timeout=grace)
        return not late

    async def drain(self, limit: float) -> bool:
        """Refuse new calls and wait up to `limit` seconds for the running ones; whether all have ended."""
        self._draining = True
        if not self._running:
            return True
        _, late = await asyncio.wait({call.done for call in self._running.values()}, timeout=limit)
        return not late

    def _ended(self, key: str, done: asyncio.Task[Outcome]) -> None:
        del self._running[key]
        self._changed.set()
        if not done.cancelled() and done.exception() is None and done.result().status == 200:
            self._recent.put(key, done.result())
