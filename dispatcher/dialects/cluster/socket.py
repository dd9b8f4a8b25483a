"""`/ws`: the events of the cluster, from now on. What a client says is not listened to."""

import secrets
from dataclasses import dataclass
from typing import Any

import structlog
from starlette.datastructures import QueryParams
from starlette.types import Receive, Scope, Send

from dispatcher.dialects.cluster.broadcast import Broadcast
from dispatcher.dialects.cluster.errors import render
from dispatcher.dialects.cluster.options import ORIGIN, ClusterOptions
from dispatcher.dialects.cluster.wire_events import Event
from dispatcher.dialects.gate import Gate
from dispatcher.dialects.operation import ANYBODY
from dispatcher.domain.clock import Clock
from dispatcher.domain.errors import DispatchError, RateLimited, RateState, Unauthorized
from dispatcher.domain.principal import Principal
from dispatcher.service.retry import Sleep
from dispatcher.service.services import Services
from dispatcher.web.answer import json_response
from dispatcher.web.authentication import REFUSED, sign_in, socket_token
from dispatcher.web.denial import answer_handshake
from dispatcher.web.errors import error_headers, internal_error, status_of
from dispatcher.web.event_stream import (
    SIGNED_OUT,
    CloseSocket,
    Disconnected,
    Inlet,
    Outbox,
    Parting,
    until_first,
)
from dispatcher.web.rates import Rate
from dispatcher.web.request_id import request_id_of
from dispatcher.web.sockets import expire, farewell

POLICY, INTERNAL = 1008, 1011
SEAT_MS = 30_000  # a seat that a dead gateway left is free after that


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """`queue` events may wait to be read; the last words have `farewell_s` seconds."""

    max_message: int = 65_536
    messages_per_second: int = 100
    queue: int = 256
    farewell_s: float = 5.0


class EventSocket:
    """The ASGI application behind it."""

    def __init__(
        self,
        services: Services,
        gate: Gate,
        clock: Clock,
        broadcast: Broadcast,
        options: ClusterOptions,
        *,
        limits: SocketLimits | None = None,
        pause: Sleep,
        log: Any = None,
    ) -> None:
        self._coordination = services.coordination
        self._gate = gate
        self._clock = clock
        self._broadcast = broadcast
        self._options = options
        self._limits = limits or SocketLimits()
        self._pause = pause
        self._log = log or structlog.get_logger("dispatcher.dialects")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (await receive())["type"] != "websocket.connect":
            return
        seat = secrets.token_hex(8)
        try:
            principal = sign_in(scope, await self._caller(scope))
            ANYBODY.check(principal, "", ORIGIN)
            await self._admit(principal, seat)
        except Unauthorized as error:
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "code": POLICY, "reason": error.message})
            return
        except DispatchError as error:
            response = json_response(render(error, request_id_of(scope)), status_of(error), error_headers(error))
            await answer_handshake(response, scope, receive, send)
            return
        try:
            await self._serve(scope, receive, send, principal, seat)
        finally:
            await self._leave(principal, seat)

    async def _caller(self, scope: Scope) -> Principal:
        """By the header, else `?api_key=` where that is allowed, else the subprotocols `bearer, <key>`."""
        if self._gate.anonymous is not None:
            return self._gate.anonymous
        given = QueryParams(scope.get("query_string", b"")).getlist("api_key") if self._options.key_in_query else []
        token = socket_token(scope) or (given[0] if len(given) == 1 else None)
        if token is None:
            raise Unauthorized(REFUSED)
        return await self._gate.holder_of(token)

    async def _admit(self, principal: Principal, seat: str) -> None:
        """Raises RateLimited: too many calls, or too many sockets."""
        rates, key = self._gate.rates, principal.rate_key
        rules = [rates.rule(Rate.DEFAULT, ORIGIN, key), rates.hour_rule(ORIGIN, key)]
        if any(rules):
            await self._gate.limit(*rules)
        if not await self._keep_seat(principal, seat):
            most = self._options.sockets
            state = RateState(most, 0, self._clock.now_ms() + SEAT_MS)
            raise RateLimited(f"At most {most} WebSocket connections at once", state, SEAT_MS // 1000)

    async def _keep_seat(self, principal: Principal, seat: str) -> bool:
        holder, most = principal.rate_key, self._options.sockets
        return await self._coordination.take_seat(holder, seat, most=most, lives_ms=SEAT_MS)

    async def _leave(self, principal: Principal, seat: str) -> None:
        try:
            await self._coordination.take_seat(principal.rate_key, seat, most=0, lives_ms=0)
        except DispatchError as error:  # it then ends by itself
            self._log.warning("seat_not_left", error=error.message)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, principal: Principal, seat: str) -> None:
        limits = self._limits
        offered = scope.get("subprotocols", [])
        protocol = offered[0] if offered and offered[0].lower() == "bearer" else None
        await send({"type": "websocket.accept", "subprotocol": protocol})
        inlet = Inlet(receive, self._clock, max_bytes=limits.max_message, per_second=limits.messages_per_second)
        outbox = Outbox(send, limits.queue)
        try:
            try:
                close = await self._tell(inlet, outbox, principal, seat)
            except Exception:  # noqa: BLE001 - logged; the client learns nothing of it
                self._log.exception("unexpected", operation="events", request_id=request_id_of(scope))
                close = CloseSocket(INTERNAL, internal_error().message)
            if close is not None:
                await farewell(outbox, send, close, limits.farewell_s)
        finally:
            await outbox.close()

    async def _tell(self, inlet: Inlet, outbox: Outbox, principal: Principal, seat: str) -> CloseSocket | None:
        """Send events until something ends that: how the socket is to be closed then, None when its client is gone."""
        parting = Parting()

        def tell(event: Event) -> None:
            try:
                outbox.put(event.text)
            except CloseSocket as slow:
                parting.end(slow)

        jobs = [_hear(inlet), outbox.run(), parting.closed(), self._stay(principal, seat)]
        if principal.expires_ms:
            jobs.append(expire(principal, self._clock))
        try:
            async with self._broadcast.listening(principal, tell):
                await until_first(*jobs)
        except Disconnected:
            return None
        except CloseSocket as end:
            return end if end.code != SIGNED_OUT else CloseSocket(POLICY, end.reason)
        return None

    async def _stay(self, principal: Principal, seat: str) -> None:
        """Keep the seat, while the key holds."""
        while True:
            await self._pause(SEAT_MS / 3000)
            try:
                if not await self._keep_seat(principal, seat):
                    raise CloseSocket(POLICY, f"More than {self._options.sockets} sockets")
                if not await self._gate.still(principal):
                    raise CloseSocket(POLICY, "The key was revoked")
            except DispatchError as error:  # the next round tries again
                self._log.warning("seat_not_kept", error=error.message)


async def _hear(inlet: Inlet) -> None:
    """Take in what a client says, within bounds, until it goes away."""
    while True:
        await inlet.next()
