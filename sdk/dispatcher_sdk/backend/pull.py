"""Work that is fetched: for servers that the gateway cannot reach, behind NAT or a firewall."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from dispatcher_sdk.backend.calls import Calls, MakeReporter
from dispatcher_sdk.backend.job import Callback, Job, Outcome
from dispatcher_sdk.backend.membership import Membership
from dispatcher_sdk.errors import DispatcherError
from dispatcher_sdk.flows.send import segment
from dispatcher_sdk.models import ClaimedTask

log = logging.getLogger("dispatcher_sdk.backend")

CLAIM_WAIT = 20.0  # seconds that the gateway may hold a claim back
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 15.0
LAST_CLAIM = 1.0  # for the answer of a claim that is on its way when no more work is wanted


class Pull:
    """Claims a task whenever one more may run. The ends of calls go to their callbacks, so `calls` must report them."""

    def __init__(
        self,
        calls: Calls,
        reporter: MakeReporter,
        *,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._calls = calls
        self._reporter = reporter
        self._sleep = sleep
        self._clock = clock
        self._draining = False
        self._claiming: asyncio.Task[ClaimedTask | None] | None = None
        self._telling: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Nothing to do: nobody calls."""

    async def work(self, membership: Membership) -> None:
        """Claim and start tasks; a gateway that is away is tried again and again."""
        pause = FIRST_PAUSE
        while True:
            await self._calls.room()
            if self._draining:
                return
            since = self._clock()
            self._claiming = asyncio.create_task(membership.claim(CLAIM_WAIT))
            try:
                claimed = await self._claiming
            except DispatcherError as error:
                log.warning("no claim: %s", error)
                await self._sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            pause = FIRST_PAUSE
            if claimed is not None:
                self._start(job(claimed))
            elif self._clock() - since < FIRST_PAUSE:  # a gateway that does not wait
                await self._sleep(FIRST_PAUSE)

    async def drain(self) -> None:
        """Claim no more, and start what was claimed just now."""
        self._draining = True
        if self._claiming is not None and not self._claiming.done():
            await asyncio.wait({self._claiming}, timeout=LAST_CLAIM)
            self._claiming.cancel()
        await asyncio.sleep(0)  # the claim that was answered in time becomes a call

    async def abandon(self) -> None:
        """Nothing to do: it goes back with the registration or the lease."""

    async def close(self, grace: float) -> None:
        """Finish telling what needed no call."""
        if self._telling:
            await asyncio.wait(self._telling, timeout=grace)
        for task in self._telling:
            task.cancel()

    def _start(self, claimed: Job) -> None:
        admitted = self._calls.admit(claimed)
        if isinstance(admitted, Outcome):  # known already, or refused: there is no call that would tell
            telling = asyncio.create_task(self._reporter(claimed, lambda: None).end(admitted))
            self._telling.add(telling)
            telling.add_done_callback(self._telling.discard)


def job(claimed: ClaimedTask) -> Job:
    """A claimed task as a job. It reports to the gateway that it was claimed at, under the URL known to reach it."""
    return Job(
        task_id=claimed.task_id,
        attempt=claimed.attempt,
        type=claimed.type,
        payload=claimed.payload,
        key=claimed.task_id,
        priority=None if claimed.priority is None else int(claimed.priority),
        capabilities=tuple(claimed.capabilities),
        deadline=claimed.deadline,
        callback=Callback(f"/api/task/{segment(claimed.task_id)}", claimed.callback_token),
        traceparent=claimed.traceparent,
    )
