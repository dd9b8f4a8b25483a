"""Which clients may open a socket, how many and how fast, and how it ends: the same steps in every dialect that signs
them in so."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any

from starlette.types import Receive, Scope, Send

from dispatcher.dialects.gate import Gate
from dispatcher.dialects.operation import Access
from dispatcher.domain.clock import Clock
from dispatcher.domain.errors import DispatchError
from dispatcher.domain.principal import Principal
from dispatcher.web.authentication import sign_in
from dispatcher.web.errors import close_code_of
from dispatcher.web.event_stream import Inlet, Outbox, until_first
from dispatcher.web.rates import Rate
from dispatcher.web.sockets import Seats, TellError, converse, expire, signed_in

Serve = Callable[[Principal, Inlet, Outbox], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class DoorLimits:
    """`sockets` is per principal, kind of socket and gateway. `sign_in_s` is how long the first message may take when
    it has to bring the token; `farewell_s` how long the last words to one who does not read."""

    max_message: int = 65_536
    messages_per_second: int = 100
    queue: int = 256
    sockets: int = 1000
    sign_in_s: float = 10.0
    farewell_s: float = 5.0


class Doorkeeper:
    """Admits those who may open a socket of one kind, and closes it. `close_code` is what errors close it with."""

    def __init__(
        self,
        dialect: str,
        access: Access,
        gate: Gate,
        clock: Clock,
        limits: DoorLimits,
        *,
        close_code: Callable[[DispatchError], int] = close_code_of,
    ) -> None:
        self._dialect = dialect
        self._access = access
        self._gate = gate
        self._clock = clock
        self._limits = limits
        self._close_code = close_code
        self._seats = Seats(limits.sockets)

    async def admit(self, scope: Scope, receive: Receive, send: Send, serve: Serve, tell_error: TellError) -> None:
        """Serve a socket until `serve` ends or raises, its client goes away, or its token expires. An error is told."""
        limits = self._limits
        await converse(
            scope,
            receive,
            send,
            partial(self._hold, scope, serve),
            clock=self._clock,
            tell_error=tell_error,
            close_code=self._close_code,
            max_bytes=limits.max_message,
            per_second=limits.messages_per_second,
            queue=limits.queue,
            farewell_s=limits.farewell_s,
        )

    async def _hold(self, scope: Scope, serve: Serve, inlet: Inlet, outbox: Outbox) -> None:
        principal = await self._principal(scope, inlet, outbox)
        self._access.check(principal, "", self._dialect)
        rule = self._gate.rates.rule(Rate.DEFAULT, self._dialect, principal.rate_key)
        if rule is not None:
            await self._gate.coordination.limit(rule)
        with self._seats.taken(principal):
            jobs = [serve(principal, inlet, outbox), outbox.run()]
            if principal.expires_ms:
                jobs.append(expire(principal, self._clock))
            await until_first(*jobs)

    async def _principal(self, scope: Scope, inlet: Inlet, outbox: Outbox) -> Principal:
        if self._gate.anonymous is not None:
            return sign_in(scope, self._gate.anonymous)
        return await signed_in(scope, inlet, outbox, self._gate.authenticator, within_s=self._limits.sign_in_s)
