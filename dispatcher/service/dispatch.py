"""The heart: a task with a first right becomes an attempt, the attempt a call, its answer an end, the freed slot the
next attempt.

    start -> place (choose, claim) -> call -> record -> the next grant of that slot, and so on
                                               `-> no room there: the same task to another server

Nothing here is needed to finish a task: when this gateway dies, leases end and others go on from the store.
"""

import asyncio
import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass

from dispatcher.domain.clock import Clock
from dispatcher.domain.failure import BLAMES_SERVER, Accepted, Outcome
from dispatcher.domain.grant import Candidates, Finished, Grant, Held, Waiting
from dispatcher.domain.ids import new_nonce
from dispatcher.domain.reporter import Reporter
from dispatcher.domain.task import Task
from dispatcher.service.background import Background
from dispatcher.service.call import HANDED_BACK, Call
from dispatcher.service.choice import Opening, affinity
from dispatcher.service.latencies import Latencies
from dispatcher.service.placing import Placing
from dispatcher.service.ports import Forwarder, ServerStore, TaskStore
from dispatcher.service.recording import Recording
from dispatcher.service.retry import OUTAGE, FullJitter, Outage, Sleep
from dispatcher.service.waits import Waits

log = logging.getLogger(__name__)

FIRST_RIGHT_S = 0.25
HAND_BACK_S = 5.0


@dataclass(frozen=True, slots=True)
class DispatchOptions:
    """`max_calls` bounds the calls of this gateway, and with them the results that wait for a store out of reach:
    for at most `keep_results_ms`."""

    lease_ms: int = 15_000
    accepted_lease_ms: int = 30_000
    max_calls: int = 512
    other_servers: int = 3
    retry_base_ms: int = 500
    retry_max_ms: int = 30_000
    keep_results_ms: int = 600_000


class Dispatch:
    """Runs attempts in the background, each independent of the request that began it."""

    def __init__(
        self,
        tasks: TaskStore,
        servers: ServerStore,
        forwarder: Forwarder,
        waits: Waits,
        latencies: Latencies,
        *,
        clock: Clock,
        rng: random.Random,
        gateway: str,
        options: DispatchOptions,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._servers = servers
        self._forwarder = forwarder
        self._latencies = latencies
        self._clock = clock
        self._options = options
        self._outage = Outage(clock=clock, rng=rng, sleep=sleep)
        self._placing = Placing(
            tasks,
            servers,
            latencies,
            self._outage,
            rng=rng,
            gateway=gateway,
            lease_ms=options.lease_ms,
            claims=1 + options.other_servers,
        )
        self._recording = Recording(
            tasks,
            waits,
            FullJitter(options.retry_base_ms, options.retry_max_ms, rng),
            self._outage,
            gateway=gateway,
            lease_ms=options.lease_ms,
            accepted_lease_ms=options.accepted_lease_ms,
            keep_ms=options.keep_results_ms,
        )
        self._background = Background()
        self._permits = asyncio.Semaphore(options.max_calls)
        self._calls: dict[Held, Call] = {}
        self._draining = False

    # ---- what others ask of it

    def start(
        self,
        task_id: str,
        lane: str,
        turn: int,
        candidates: Candidates,
        tried: frozenset[str] = frozenset(),
        *,
        task_type: str = "",
        key: str = "",
        model: str = "",
    ) -> None:
        """Place a task that this gateway has the first right to, and run it; returns at once."""
        waiting = Waiting(task_id, lane, turn, candidates, tried, model)
        self._open(Opening(waiting, self._options.other_servers, task_type, key or task_id))

    async def start_waiting(self, waiting: Sequence[Waiting]) -> int:
        """Claim heads of the queue in their order, and run them; answers how many attempts began."""
        began = 0
        for head in waiting:
            if self._draining or not await self._permit_at_once():
                break
            grant = None
            try:
                grant = await self._placing.place(Opening(head, self._options.other_servers, key=head.task_id))
            finally:
                if grant is None:
                    self._permits.release()
            if grant is not None:
                self._run(self._take(grant))
                began += 1
        return began

    async def report(self, task: Task, by: Reporter, outcome: Outcome) -> Finished:
        """Record an end that a worker reports, and use the slot that it frees. The caller may go away meanwhile.

        Raises as `TaskStore.finish`.
        """
        return await asyncio.shield(self._background.spawn(self._reported(task, by, outcome)))

    def held(self) -> list[Held]:
        """The leases to renew: of all attempts from their grant to their recorded end."""
        return list(self._calls)

    def give_up(self, held: Held) -> None:
        """The lease is lost to others: end that call and record nothing, unless its answer has come already."""
        if (call := self._calls.get(held)) is not None:
            call.give_up()

    async def idle(self, timeout_s: float) -> bool:
        """Wait until nothing runs here; False when the time was up first."""
        return await self._background.wait(timeout_s)

    @property
    def draining(self) -> bool:
        return self._draining

    async def drain(self, timeout_s: float) -> None:
        """Take no more work, let running calls end for `timeout_s`, then hand the rest back to the queue."""
        self._draining = True
        if not await self._background.wait(timeout_s):
            for call in self._calls.values():
                call.hand_back()
            await self._background.wait(HAND_BACK_S)
        await self._background.close()

    # ---- from a right to a grant

    def _open(self, opening: Opening) -> None:
        self._background.spawn(self._place_and_run(opening))

    async def _place_and_run(self, opening: Opening) -> None:
        try:
            async with asyncio.timeout(FIRST_RIGHT_S):
                await self._permits.acquire()
        except TimeoutError:
            return  # too busy here: the right has passed to others
        try:
            grant = None if self._draining else await self._placing.place(opening)
            if grant is not None:
                mine = grant.task_id == opening.waiting.task_id  # else an older task went first
                await self._chain(self._take(grant, opening) if mine else self._take(grant))
        except OUTAGE:
            log.warning("task %s was not placed: the store is out of reach", opening.waiting.task_id)
        finally:
            self._permits.release()

    def _take(self, grant: Grant, opening: Opening | None = None) -> Call:
        others, asked = (opening.others, opening.refused) if opening else (self._options.other_servers, frozenset())
        call = Call(grant, others, self._clock.monotonic(), asked)
        self._calls[call.held] = call
        return call

    # ---- from a grant to an end

    async def _permit_at_once(self) -> bool:
        """Take a permit if one is free. A grant without one would run out of time here, and its server be blamed."""
        return not self._permits.locked() and await self._permits.acquire()

    def _run(self, call: Call) -> None:
        self._background.spawn(self._run_permitted(call))

    async def _run_permitted(self, call: Call) -> None:
        try:
            await self._chain(call)
        finally:
            self._permits.release()

    async def _chain(self, call: Call | None) -> None:
        """Attempts one after another, as each frees the slot for the next."""
        while call is not None:
            try:
                finished = await self._attempt(call)
            except OUTAGE:
                log.warning("task %s attempt %d is left to its lease", call.grant.task_id, call.grant.fence)
                return
            finally:
                self._calls.pop(call.held, None)
            call = self._go_on(call, finished) if finished else None

    async def _attempt(self, call: Call) -> Finished | None:
        registry = await self._outage.ride_out(self._servers.snapshot, limit_ms=self._options.lease_ms)
        server = registry.servers.get(call.grant.server_id)
        if server is None or self._draining:
            return await self._recording.finish(call, HANDED_BACK, self._next_nonce())
        match await call.ask(self._forwarder, server, self._clock):
            case Outcome() as outcome:
                self._learn(call.grant, outcome)
                return await self._recording.finish(call, outcome, self._next_nonce())
            case Accepted():
                await self._recording.accept(call)
        return None

    def _next_nonce(self) -> str | None:
        return None if self._draining else new_nonce()

    def _learn(self, grant: Grant, outcome: Outcome) -> None:
        now_ms = self._clock.monotonic() * 1000
        if outcome.verdict in BLAMES_SERVER:
            self._latencies.fault(grant.server_id, grant.type, now_ms)
        elif outcome.service_ms is not None:
            self._latencies.observe(grant.server_id, grant.type, outcome.service_ms, now_ms)

    # ---- from an end to more work

    def _go_on(self, call: Call, finished: Finished) -> Call | None:
        """The next attempt for the freed slot; and the task itself to another server when this one had no room."""
        if finished.candidates is not None and call.others > 0:
            grant = call.grant
            waiting = Waiting(grant.task_id, grant.lane, finished.turn, finished.candidates, grant.tried)
            asked, key = call.asked | {grant.server_id}, affinity(grant.spec, grant.task_id)
            self._open(Opening(waiting, call.others - 1, grant.type, key, asked))
        return self._take(finished.grant) if finished.grant is not None else None

    async def _reported(self, task: Task, by: Reporter, outcome: Outcome) -> Finished:
        permit, grant = await self._permit_at_once(), None
        try:
            finished = await self._recording.report(task, by, outcome, self._next_nonce() if permit else None)
            grant = finished.grant
        finally:
            if permit and grant is None:
                self._permits.release()
        if finished.candidates is not None:
            self.start(task.id, task.lane, finished.turn, finished.candidates, task_type=task.type, model=task.model)
        if grant is not None:
            self._run(self._take(grant))
        return finished
