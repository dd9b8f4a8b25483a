"""The executor: claims jobs while it has room, keeps them alive, reports their ends, and stops in good order."""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any

from dispatcher.executor.attempt import Cut, attempt, stop
from dispatcher.executor.errors import JobError, Refused, Unreachable
from dispatcher.executor.http import Http
from dispatcher.executor.job import Report, decode, job_id
from dispatcher.executor.options import Options
from dispatcher.executor.queue import Claimed, Queue
from dispatcher.sandbox.waiting import first

log = logging.getLogger("dispatcher.executor")

IDLE_S = 2.0  # between two claims of a queue that answers at once that it has nothing
LONGEST_PAUSE_S = 30.0
LAST_CLAIM_S = 1.0
REPORT_S = 120.0  # how long a report is tried
LOST = "the job is not ours any more"
STOPPED = "the executor was shut down"

Sleep = Callable[[float], Awaitable[object]]


class Executor:
    """`rng` spreads pauses; `sleep` and `clock` count seconds."""

    def __init__(
        self,
        http: Http,
        options: Options,
        *,
        rng: random.Random,
        sleep: Sleep = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = http
        self._queue = Queue(http, options)
        self._options = options
        self._rng = rng
        self._sleep = sleep
        self._clock = clock
        self._running: dict[asyncio.Task[None], Cut] = {}

    async def run(self, stopping: asyncio.Event, hurry: asyncio.Event) -> None:
        """Work until `stopping`, then let running jobs end for `grace_s`; `hurry` cuts that short.

        Raises Refused when the queue does not let this executor claim.
        """
        waiting = asyncio.ensure_future(stopping.wait())
        try:
            await self._claim_until(waiting)
        finally:
            waiting.cancel()
            await self._drain(hurry)

    async def once(self, stopping: asyncio.Event, hurry: asyncio.Event) -> bool:
        """Claim once and do the job; False when there was none. Raises Refused, Unreachable, ValueError."""
        claimed = await self._queue.claim(wait=False)
        if claimed is None:
            return False
        self._take(claimed)
        waiting = asyncio.ensure_future(stopping.wait())
        await first(waiting, *self._running)
        waiting.cancel()
        await self._drain(hurry)
        return True

    async def _claim_until(self, stopping: "asyncio.Future[Any]") -> None:
        failures = 0
        while not stopping.done():
            if len(self._running) >= self._options.concurrency:
                await first(stopping, *self._running)
                continue
            since = self._clock()
            try:
                claimed = await self._claim(stopping)
                failures = 0
                if claimed is not None:
                    self._take(claimed)
                    continue
                held_back = self._clock() - since > IDLE_S
                pause = 0.0 if held_back else IDLE_S
            except (Unreachable, Refused, ValueError) as error:
                if isinstance(error, Refused) and not error.passing:
                    raise
                failures += 1
                pause = min(LONGEST_PAUSE_S, 2.0**failures)
                log.warning("no claim: %s", error)
            if pause:
                await self._pause(pause * self._rng.uniform(0.5, 1.0), stopping)

    async def _claim(self, stopping: "asyncio.Future[Any]") -> Claimed | None:
        """A job, or None; also when it is broken off, because no more work is wanted. An answer that is on its way has
        a moment: its job would have to wait for the end of its lease."""
        claiming = asyncio.ensure_future(self._queue.claim(wait=True))
        try:
            await first(claiming, stopping)
            await first(claiming, timeout_s=LAST_CLAIM_S)
            return claiming.result() if claiming.done() else None
        finally:
            claiming.cancel()
            await first(claiming)

    async def _pause(self, seconds: float, stopping: "asyncio.Future[Any]") -> None:
        sleeping = asyncio.ensure_future(self._sleep(seconds))
        await first(sleeping, stopping)
        sleeping.cancel()

    def _take(self, claimed: Claimed) -> None:
        """Begin a job. Raises ValueError for what is none."""
        name = job_id(claimed.fields)
        cut: Cut = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._do(name, claimed, cut))
        self._running[task] = cut
        task.add_done_callback(self._running.pop)

    async def _do(self, name: str, claimed: Claimed, cut: Cut) -> None:
        log.info("job %s begins", name)
        beating = asyncio.create_task(self._beat(name, self._apart(claimed.lease_s), cut))
        try:
            report = await self._attempt(claimed.fields, cut)
        finally:
            beating.cancel()
        if cut.done() and cut.result() == LOST:
            log.warning("job %s: %s", name, LOST)
            return
        log.info("job %s ends: %s", name, "completed" if report.error is None else report.error)
        await self._report(name, report)

    async def _attempt(self, fields: Any, cut: Cut) -> Report:
        try:
            return await attempt(decode(fields), self._http, self._options, cut)
        except JobError as error:
            return Report(error=str(error))

    def _apart(self, lease_s: float | None) -> float:
        """Seconds between two heartbeats: two of them may be lost, or late, before the job is."""
        longest = self._options.heartbeat_s
        return longest if lease_s is None else min(longest, lease_s / 3)

    async def _beat(self, name: str, apart_s: float, cut: Cut) -> None:
        while True:
            await self._sleep(apart_s)
            try:
                await self._queue.heartbeat(name)
            except Refused as error:
                if error.status == 404:
                    stop(cut, LOST)
                    return
                log.warning("no heartbeat of job %s: %s", name, error)
            except Unreachable as error:
                log.warning("no heartbeat of job %s: %s", name, error)

    async def _report(self, name: str, report: Report) -> None:
        """Tell the queue, again and again while it is away; a refusal is final."""
        until, pause = self._clock() + REPORT_S, 1.0
        while True:
            try:
                await self._queue.report(name, report)
            except (Unreachable, Refused) as error:
                refused = isinstance(error, Refused) and not error.passing
                if refused or self._clock() >= until:
                    log.warning("the end of job %s was not taken: %s", name, error)
                    return
            else:
                return
            await self._sleep(pause * self._rng.uniform(0.5, 1.0))
            pause = min(2 * pause, LONGEST_PAUSE_S)

    async def _drain(self, hurry: asyncio.Event) -> None:
        if not self._running:
            return
        hurrying = asyncio.ensure_future(hurry.wait())
        ending = asyncio.gather(*self._running, return_exceptions=True)
        await first(ending, hurrying, timeout_s=self._options.grace_s)
        hurrying.cancel()
        for cut in self._running.values():
            stop(cut, STOPPED)
        await ending
