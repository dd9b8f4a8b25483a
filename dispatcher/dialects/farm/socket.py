"""The WebSocket of the clients: who may open it, and how it ends."""

from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

import structlog
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from dispatcher.dialects.farm.channel import GOING_AWAY, POLICY, FarmChannel
from dispatcher.dialects.farm.clients import client_id, core_id, new_client
from dispatcher.dialects.farm.conversation import OUT_OF_REACH, Conversation
from dispatcher.dialects.farm.errors import render
from dispatcher.dialects.farm.masters import Masters
from dispatcher.dialects.farm.options import ORIGIN, FarmOptions
from dispatcher.dialects.gate import Gate
from dispatcher.domain.clock import Clock
from dispatcher.domain.errors import DispatchError, Forbidden, NotFound
from dispatcher.domain.principal import Principal, Role
from dispatcher.domain.server import Server
from dispatcher.service.retry import OUTAGE
from dispatcher.service.services import Services
from dispatcher.service.sessions import Session
from dispatcher.web.answer import json_response
from dispatcher.web.authentication import sign_in
from dispatcher.web.denial import answer_handshake
from dispatcher.web.errors import error_headers, internal_error, status_of
from dispatcher.web.event_stream import (
    NOT_TEXT,
    NOT_UTF8,
    SIGNED_OUT,
    TOO_BIG,
    TOO_SLOW,
    CloseSocket,
    Disconnected,
    Inlet,
    Outbox,
    until_first,
)
from dispatcher.web.rates import Rate
from dispatcher.web.request_id import request_id_of
from dispatcher.web.sockets import Seats, expire, farewell

INTERNAL = 1011
SILENT_LEASES = 3  # nothing heard for so many of them: the other end may be gone without a word
# the document knows only some codes: the others stand for these; after 1001 a client connects again, after 1008 not
_DOCUMENTED = {NOT_UTF8: NOT_TEXT, TOO_BIG: POLICY, TOO_SLOW: GOING_AWAY, SIGNED_OUT: POLICY}


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """`sockets` is per principal and gateway; `farewell_s` is how long the last words to one who does not read may
    take."""

    max_message: int = 1_048_576
    messages_per_second: int = 100
    queue: int = 256
    sockets: int = 1000
    farewell_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Visitor:
    """A client that may come in."""

    principal: Principal
    name: str
    server: Server
    address: str


class FarmSocket:
    """The ASGI application behind `/farm` and `/farm/ws`."""

    def __init__(
        self,
        services: Services,
        gate: Gate,
        clock: Clock,
        options: FarmOptions,
        limits: SocketLimits | None = None,
        log: Any = None,
    ) -> None:
        self._services = services
        self._gate = gate
        self._clock = clock
        self._options = options
        self._limits = limits or SocketLimits()
        self._seats = Seats(self._limits.sockets)
        self._masters = Masters(services, options.master_port)
        self._log = log or structlog.get_logger("dispatcher.dialects")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (await receive())["type"] != "websocket.connect":
            return
        outbox = Outbox(send, self._limits.queue)
        try:
            await self._converse(scope, receive, send, outbox)
        finally:
            await outbox.close()

    async def _converse(self, scope: Scope, receive: Receive, send: Send, outbox: Outbox) -> None:
        try:
            close = await self._enter(scope, receive, send, outbox)
        except DispatchError as error:  # before it was opened
            response = json_response(render(error, request_id_of(scope)), status_of(error), error_headers(error))
            await answer_handshake(response, scope, receive, send)
            return
        except CloseSocket as refused:
            await send({"type": "websocket.accept"})
            close = refused
        if close is not None:
            documented = CloseSocket(_DOCUMENTED.get(close.code, close.code), close.reason)
            await farewell(outbox, send, documented, self._limits.farewell_s)

    async def _enter(self, scope: Scope, receive: Receive, send: Send, outbox: Outbox) -> CloseSocket | None:
        """Open the socket and serve it: how it is to be closed then, or None when the client is gone.

        Raises instead of opening it: DispatchError to be answered, CloseSocket where the document has a code.
        """
        limits = self._limits
        visitor = await self._admit(scope)
        channel = FarmChannel(outbox, self._clock, self._masters.of)
        with self._seats.taken(visitor.principal):
            opening = self._services.sessions.open(visitor.server.id, channel, lease_ms=self._options.lease_ms)
            async with opening as session:
                await send({"type": "websocket.accept"})
                inlet = Inlet(receive, self._clock, max_bytes=limits.max_message, per_second=limits.messages_per_second)
                return await self._serve(scope, visitor, session, channel, inlet, outbox)

    async def _admit(self, scope: Scope) -> Visitor:
        """The client that a handshake names, known to the farm from now on. Raises as `_enter`."""
        principal = sign_in(scope, self._gate.principal_of(scope))
        if not principal.roles & {Role.SERVER, Role.ADMIN}:
            raise Forbidden("Server role required")
        name = client_id(Headers(scope=scope).getlist("client-id"))
        server_id = core_id(principal.realm, name)
        if not principal.may_be(f"{ORIGIN}:{name}", server_id):
            raise CloseSocket(POLICY, "The token belongs to another client")
        await self._count(Rate.REPORT, f"server/{server_id}")
        try:
            await self._services.servers.get(server_id)
        except NotFound:  # each new name leaves a record behind
            await self._count(Rate.DEFAULT, principal.rate_key)
        new = new_client(server_id, name, self._options, only=principal.door)
        server = await self._services.workers.enlist(new)
        address = scope.get("client")
        return Visitor(principal, name, server, address[0] if address else "")

    async def _count(self, rate: Rate, key: str) -> None:
        """Raises RateLimited."""
        rule = self._gate.rates.rule(rate, ORIGIN, key)
        if rule is not None:
            await self._services.coordination.limit(rule)

    async def _serve(
        self, scope: Scope, visitor: Visitor, session: Session, channel: FarmChannel, inlet: Inlet, outbox: Outbox
    ) -> CloseSocket | None:
        """Until the socket ends: how it is to be closed, or None when the client is gone."""
        talk = Conversation(
            session,
            channel,
            outbox,
            self._services.servers,
            self._clock,
            server=visitor.server,
            address=visitor.address,
            request_id=request_id_of(scope),
            options=self._options,
        )
        jobs: list[Coroutine[Any, Any, None]] = [
            talk.listen(inlet), talk.reports.run(), channel.closed(), outbox.run(),
            inlet.watch_silence(SILENT_LEASES * self._options.lease_ms / 1000, GOING_AWAY),
        ]  # fmt: skip
        if visitor.principal.expires_ms:
            jobs.append(expire(visitor.principal, self._clock))
        try:
            await until_first(*jobs)
        except Disconnected:
            return None
        except CloseSocket as close:
            return close
        except OUTAGE:
            return CloseSocket(GOING_AWAY, OUT_OF_REACH)
        except Exception:  # noqa: BLE001 - logged; the client learns nothing of it
            self._log.exception("unexpected", operation="clientSocket", request_id=request_id_of(scope))
        return CloseSocket(INTERNAL, internal_error().message)
