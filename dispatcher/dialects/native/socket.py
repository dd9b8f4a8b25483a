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

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from starlette.types import Receive, Scope, Send

from dispatcher.dialects.native.errors import error_answer
from dispatcher.dialects.native.options import ORIGIN
from dispatcher.dialects.native.socket_session import Session
from dispatcher.domain.clock import Clock
from dispatcher.domain.errors import DispatchError, Unauthorized
from dispatcher.domain.principal import Principal
from dispatcher.service.services import Services
from dispatcher.web.answer import encode_json
from dispatcher.web.authentication import REFUSED, Authenticator, sign_in, socket_token
from dispatcher.web.errors import close_code_of
from dispatcher.web.event_stream import SIGNED_OUT, CloseSocket, Disconnected, Inlet, Outbox, until_first
from dispatcher.web.jsonbody import parse_object
from dispatcher.web.rates import Rate, Rates
from dispatcher.web.request_id import request_id_of


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """`sign_in_s` is how long the first message may take when it has to bring the token; `farewell_s` how long the last
    words to one who does not read."""

    max_message: int = 65_536
    messages_per_second: int = 100
    subscriptions: int = 100
    queue: int = 256
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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (await receive())["type"] != "websocket.connect":
            return
        offered = scope.get("subprotocols", [])
        # echoed: a browser gives up when none of the protocols that it offered is chosen; never the token itself
        protocol = offered[0] if offered and offered[0].lower() == "bearer" else None
        await send({"type": "websocket.accept", "subprotocol": protocol})
        inlet = Inlet(
            receive, self._clock, max_bytes=self._limits.max_message, per_second=self._limits.messages_per_second
        )
        outbox = Outbox(send, self._limits.queue)
        try:
            await self._serve(scope, inlet, outbox)
        except Disconnected:
            return
        except CloseSocket as close:
            await self._farewell(outbox, send, close)
        except DispatchError as error:
            outbox.put_last(encode_json({"type": "error", **error_answer(error, request_id_of(scope))}).decode())
            await self._farewell(outbox, send, CloseSocket(close_code_of(error), error.message[:120]))

    async def _farewell(self, outbox: Outbox, send: Send, close: CloseSocket) -> None:
        with suppress(TimeoutError):  # the server drops the connection when we return
            async with asyncio.timeout(self._limits.farewell_s):
                await outbox.flush()
                await send({"type": "websocket.close", "code": close.code, "reason": close.reason})

    async def _serve(self, scope: Scope, inlet: Inlet, outbox: Outbox) -> None:
        principal = await self._sign_in(scope, inlet, outbox)
        rule = self._rates.rule(Rate.DEFAULT, ORIGIN, principal.rate_key)
        if rule is not None:
            await self._services.coordination.limit(rule)
        session = Session(self._services, principal, outbox, request_id_of(scope), self._limits.subscriptions)
        try:
            await until_first(session.listen(inlet), session.follow(), outbox.run(), self._expire(principal))
        finally:
            session.close()

    async def _sign_in(self, scope: Scope, inlet: Inlet, outbox: Outbox) -> Principal:
        """The caller: by the handshake, else by the first message. Raises Unauthorized."""
        token = socket_token(scope)
        told = token is None
        if token is None:
            try:
                async with asyncio.timeout(self._limits.sign_in_s):
                    first = parse_object(await inlet.next()).members
            except TimeoutError:
                raise Unauthorized(REFUSED) from None
            token = first.get("token")
            if first.get("type") != "auth" or not isinstance(token, str):
                raise Unauthorized(REFUSED)
        principal = sign_in(scope, self._authenticator.authenticate(token))
        if told:
            outbox.put('{"type":"ready"}')
        return principal

    async def _expire(self, principal: Principal) -> None:
        """A socket does not outlive the token that opened it."""
        await asyncio.sleep(max(0.0, (principal.expires_ms - self._clock.now_ms()) / 1000))
        raise CloseSocket(SIGNED_OUT, "The token has expired")
