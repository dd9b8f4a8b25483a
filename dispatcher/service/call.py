"""One granted attempt while this gateway has it."""

import asyncio
from dataclasses import dataclass, field

from dispatcher.domain.clock import Clock
from dispatcher.domain.failure import Accepted, Outcome, Verdict
from dispatcher.domain.grant import Grant, Held
from dispatcher.domain.reporter import ByAttempt
from dispatcher.domain.server import Server
from dispatcher.service.ports import Forwarder

HANDED_BACK = Outcome(Verdict.RELEASED)
HANDED_BACK_RUNNING = Outcome(Verdict.RELEASED, slot_free=False)  # the server may not have noticed yet


@dataclass(slots=True, eq=False)
class Call:
    """`others` is how many more servers may be asked for the task when this one has no room; `asked` did not have
    any. `since_s` is the monotonic time at which the grant came."""

    grant: Grant
    others: int
    since_s: float
    asked: frozenset[str] = frozenset()
    given_up: bool = False
    _predict: asyncio.Task[Outcome | Accepted] | None = field(default=None, repr=False)

    @property
    def held(self) -> Held:
        return Held(self.grant.task_id, self.grant.server_id, self.grant.fence)

    @property
    def by(self) -> ByAttempt:
        return ByAttempt(self.grant.fence, self.grant.nonce)

    def give_up(self) -> None:
        """The lease is lost: end the call, say nothing. Without effect once the answer is there."""
        self.given_up = True
        self._abort()

    def hand_back(self) -> None:
        """This gateway stops: end the call and give the task back. Without effect once the answer is there."""
        self._abort()

    def _abort(self) -> None:
        if self._predict is not None:
            self._predict.cancel()

    async def ask(self, forwarder: Forwarder, server: Server, clock: Clock) -> Outcome | Accepted | None:
        """The server's answer; None when the call was given up."""
        if self.given_up:
            return None
        passed_ms = round((clock.monotonic() - self.since_s) * 1000)
        remaining_ms = max(1, self.grant.deadline_ms - self.grant.now_ms - passed_ms)
        self._predict = asyncio.ensure_future(forwarder.predict(self.grant, server, remaining_ms=remaining_ms))
        try:
            await asyncio.wait({self._predict})
        finally:
            self._predict.cancel()
        if not self._predict.cancelled():
            return self._predict.result()
        return None if self.given_up else HANDED_BACK_RUNNING
