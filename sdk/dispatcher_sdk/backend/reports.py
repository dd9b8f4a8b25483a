"""Reports of one call to the gateway: progress now and then, and the end where the call was only accepted."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping

from dispatcher_sdk import _json
from dispatcher_sdk.backend.job import Job, Outcome
from dispatcher_sdk.drivers import AsyncDriver
from dispatcher_sdk.errors import Conflict, DispatcherError, NotFound
from dispatcher_sdk.flows.send import send
from dispatcher_sdk.flows.steps import Options, Request

log = logging.getLogger("dispatcher_sdk.backend")

PROGRESS_INTERVAL = 1.0  # seconds
ASK_INTERVAL = 5.0
END_RETRIES = 12  # about a minute of a gateway that is away


Put = Callable[[Job, bytes, int], Awaitable[None]]  # (job, body, retries); raises DispatcherError


def over_http(driver: AsyncDriver) -> Put:
    """Reports as requests to the job's callback; without one, nothing is sent."""

    async def put(job: Job, body: bytes, retries: int) -> None:
        if job.callback is None:
            return
        headers = {
            "Authorization": f"Bearer {job.callback.token}",
            "X-Callback-Token": job.callback.token,
            "X-Attempt": str(job.attempt),
            "Content-Type": "application/json",
        }
        request = Request("PUT", job.callback.url, headers=headers, body=body, repeatable=True)
        await driver.run(send(Options(max_retries=retries), request))

    return put


class Reporter:
    """Sends the reports of one job to its callback; without a callback it keeps silent. Lives in the event loop.

    With `ask` it also reports every five seconds without any progress: where the gateway cannot call this server, its
    answer is how a call learns that its attempt is over.
    """

    def __init__(
        self,
        job: Job,
        put: Put,
        *,
        on_stale: Callable[[], None],
        ask: bool = False,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._job = job
        self._put = put
        self._on_stale = on_stale
        self._sleep = sleep
        self._clock = clock
        self._wanted = 0.0
        self._sent = 0.0
        self._sent_at = -PROGRESS_INTERVAL
        self._sender: asyncio.Task[None] | None = None
        self._stopped = False
        self._asking = asyncio.get_running_loop().create_task(self._ask()) if ask else None

    def adopt(self, job: Job) -> None:
        """Report for a later attempt from now on."""
        self._job = job

    def progress(self, percent: float) -> None:
        """Have the progress sent; only the newest of several within a second is."""
        self._wanted = max(self._wanted, min(100.0, max(0.0, float(percent))))
        if self._stopped or self._job.callback is None:
            return
        if self._sender is None or self._sender.done():
            self._sender = asyncio.get_running_loop().create_task(self._send_progress())

    async def end(self, outcome: Outcome) -> None:
        """Report the end, trying again for about a minute; a refusal is final for the attempt."""
        self.stop()
        if self._job.callback is None:
            log.error("task %s has ended, but there is no callback to say so", self._job.task_id)
            return
        if outcome.status == 200:
            body = b'{"status":"COMPLETED","result":' + outcome.body + b"}"
        else:
            retryable = outcome.status >= 500
            body = _json.dumps({"status": "FAILED", "error": outcome.error, "retryable": retryable})
        told = None
        while told is not self._job:  # a later attempt may have joined meanwhile, and waits for the same end
            told = self._job
            try:
                await self._put(told, body, END_RETRIES)
            except DispatcherError as error:
                log.warning("the end of task %s was not taken: %s", told.task_id, error)

    def stop(self) -> None:
        """Send no more progress, also none that a thread still reports."""
        self._stopped = True
        for sending in (self._sender, self._asking):
            if sending is not None:
                sending.cancel()

    async def _send_progress(self) -> None:
        while self._wanted > self._sent:
            rest = self._sent_at + PROGRESS_INTERVAL - self._clock()
            if rest > 0:
                await self._sleep(rest)
            value = self._wanted
            self._sent, self._sent_at = value, self._clock()
            if not await self._tell({"progress": int(value) if value.is_integer() else value}):
                return

    async def _ask(self) -> None:
        while True:
            await self._sleep(ASK_INTERVAL)
            if not await self._tell({}):
                return

    async def _tell(self, progress: Mapping[str, float]) -> bool:
        """Say that the call is at work; False when nobody wants its result any more."""
        attempt = self._job.attempt
        try:
            await self._put(self._job, _json.dumps({"status": "PROCESSING", **progress}), 0)
        except (Conflict, NotFound):
            if attempt == self._job.attempt:  # the gateway has moved on, or forgotten the task
                self._on_stale()
                return False
        except DispatcherError as error:
            log.debug("the progress of task %s was not taken: %s", self._job.task_id, error)
        return True
