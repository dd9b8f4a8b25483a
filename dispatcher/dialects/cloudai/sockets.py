"""What the sockets of CloudAI share: who may open one, and how it ends."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any

from starlette.types import Receive, Scope, Send

from dispatcher.dialects.cloudai.options import ORIGIN
from dispatcher.dialects.gate import Gate
from dispatcher.dialects.operation import Access
from dispatcher.domain.clock import Clock
from dispatcher.domain.errors import DispatchError, Forbidden, NotFound, Unauthorized
from dispatcher.domain.principal import Principal
from dispatcher.web.authentication import sign_in
from dispatcher.web.event_stream import CloseSocket, Inlet, Outbox, until_first
from dispatcher.web.rates import Rate
from dispatcher.web.sockets import Seats, converse, expire, signed_in

DONE = 1000
POLICY = 1008

Serve = Callable[[Principal, Outbox], Coroutine[Any, Any, None]]
TellError = Callable[[DispatchError], str]


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """`sockets` is per principal, kind of socket and gateway. A client that takes nothing for `stall_s` is let go;
    `sign_in_s` is how long a first message that has to bring the token may take, `farewell_s` the last words."""

    max_message: int = 65_536
    messages_per_second: int = 100
    queue: int = 256
    sockets: int = 1000
    sign_in_s: float = 10.0
    stall_s: float = 10.0
    farewell_s: float = 5.0


class Doorkeeper:
    """Admits those who may open a socket, and closes it."""

    def __init__(self, gate: Gate, access: Access, clock: Clock, limits: SocketLimits) -> None:
        self._gate = gate
        self._access = access
        self._clock = clock
        self._limits = limits
        self._seats = Seats(limits.sockets)

    async def admit(self, scope: Scope, receive: Receive, send: Send, serve: Serve, tell_error: TellError) -> None:
        """Serve a socket until `serve` raises, its client goes away, or its token expires. An error is told; for what
        is not there and for who may not, the close code is 1008."""
        limits = self._limits
        await converse(
            scope,
            receive,
            send,
            partial(self._hold, scope, serve, tell_error),
            clock=self._clock,
            tell_error=tell_error,
            max_bytes=limits.max_message,
            per_second=limits.messages_per_second,
            queue=limits.queue,
            farewell_s=limits.farewell_s,
        )

    async def _hold(self, scope: Scope, serve: Serve, tell_error: TellError, inlet: Inlet, outbox: Outbox) -> None:
        try:
            principal = await self._principal(scope, inlet, outbox)
            self._access.check(principal, "", ORIGIN)
            rule = self._gate.rates.rule(Rate.DEFAULT, ORIGIN, principal.rate_key)
            if rule is not None:
                await self._gate.coordination.limit(rule)
            with self._seats.taken(principal):
                jobs = [serve(principal, outbox), outbox.run(), _ignore(inlet)]
                if principal.expires_ms:
                    jobs.append(expire(principal, self._clock))
                await until_first(*jobs)
        except (NotFound, Unauthorized, Forbidden) as error:
            outbox.put_last(tell_error(error))
            raise CloseSocket(POLICY, error.message[:120]) from None

    async def _principal(self, scope: Scope, inlet: Inlet, outbox: Outbox) -> Principal:
        if self._gate.anonymous is not None:
            return sign_in(scope, self._gate.anonymous)
        return await signed_in(scope, inlet, outbox, self._gate.authenticator, within_s=self._limits.sign_in_s)


async def _ignore(inlet: Inlet) -> None:
    """Clients have nothing to say; but they may go away."""
    while True:
        await inlet.next()
