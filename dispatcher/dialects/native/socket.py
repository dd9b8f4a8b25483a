"""`/ws`: a client subscribes to its tasks and is sent each update, once, in order, over lost connections.

    client                              gateway
    {type: auth, token}                 {type: ready}           only when the handshake brought no token
    {type: subscribe, taskId, rev?}     {type: subscribed, taskId}, then task.update ...
    {type: unsubscribe, taskId}         {type: unsubscribed, taskId}
    {type: ping}                        {type: pong}
                                        {type: task.update, task, rev, reset?}
                                        {type: error, error, details, code, requestId}

Without `rev` the first update is a snapshot. With the `rev` last seen it is what came after it; when that was trimmed
already, a snapshot marked `reset`.
"""

from dataclasses import dataclass
from functools import partial

from starlette.types import Receive, Scope, Send

from dispatcher.dialects.native.errors import error_message
from dispatcher.dialects.native.options import ORIGIN
from dispatcher.dialects.native.socket_session import Session
from dispatcher.dialects.operation import ANYBODY
from dispatcher.domain.clock import Clock
from dispatcher.service.services import Services
from dispatcher.web.authentication import Authenticator
from dispatcher.web.event_stream import Inlet, Outbox, until_first
from dispatcher.web.rates import Rate, Rates
from dispatcher.web.request_id import request_id_of
from dispatcher.web.sockets import Seats, converse, expire, signed_in


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """`sign_in_s` is how long the first message may take when it has to bring the token; `farewell_s` how long the last
    words to one who does not read. `sockets` is per principal and gateway."""

    max_message: int = 65_536
    messages_per_second: int = 100
    subscriptions: int = 100
    queue: int = 256
    sockets: int = 1000
    sign_in_s: float = 10.0
    farewell_s: float = 5.0


class TaskSocket:
    """The ASGI application behind `/ws`."""

    def __init__(
        self,
        services: Services,
        authenticator: Authenticator,
        clock: Clock,
        *,
        rates: Rates,
        limits: SocketLimits | None = None,
    ) -> None:
        self._services = services
        self._authenticator = authenticator
        self._clock = clock
        self._rates = rates
        self._limits = limits or SocketLimits()
        self._seats = Seats(self._limits.sockets)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        limits = self._limits
        await converse(
            scope,
            receive,
            send,
            partial(self._serve, scope),
            clock=self._clock,
            tell_error=partial(error_message, request_id=request_id_of(scope)),
            max_bytes=limits.max_message,
            per_second=limits.messages_per_second,
            queue=limits.queue,
            farewell_s=limits.farewell_s,
        )

    async def _serve(self, scope: Scope, inlet: Inlet, outbox: Outbox) -> None:
        principal = await signed_in(scope, inlet, outbox, self._authenticator, within_s=self._limits.sign_in_s)
        ANYBODY.check(principal, "", ORIGIN)
        rule = self._rates.rule(Rate.DEFAULT, ORIGIN, principal.rate_key)
        if rule is not None:
            await self._services.coordination.limit(rule)
        with self._seats.taken(principal):
            session = Session(self._services, principal, outbox, request_id_of(scope), self._limits.subscriptions)
            try:
                await until_first(session.listen(inlet), session.follow(), outbox.run(), expire(principal, self._clock))
            finally:
                session.close()
