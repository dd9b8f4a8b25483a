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

from dispatcher.dialects.doorkeeper import Doorkeeper, DoorLimits
from dispatcher.dialects.gate import Gate
from dispatcher.dialects.native.errors import error_message
from dispatcher.dialects.native.options import ORIGIN
from dispatcher.dialects.native.socket_session import Session
from dispatcher.dialects.operation import ANYBODY
from dispatcher.domain.clock import Clock
from dispatcher.domain.principal import Principal
from dispatcher.service.services import Services
from dispatcher.web.event_stream import Inlet, Outbox, until_first
from dispatcher.web.request_id import request_id_of


@dataclass(frozen=True, slots=True)
class SocketLimits(DoorLimits):
    """`subscriptions` are those of one socket."""

    subscriptions: int = 100


class TaskSocket:
    """The ASGI application behind `/ws`."""

    def __init__(self, services: Services, gate: Gate, clock: Clock, limits: SocketLimits) -> None:
        self._services = services
        self._door = Doorkeeper(ORIGIN, ANYBODY, gate, clock, limits)
        self._subscriptions = limits.subscriptions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = request_id_of(scope)
        tell_error = partial(error_message, request_id=request_id)
        await self._door.admit(scope, receive, send, partial(self._serve, request_id), tell_error)

    async def _serve(self, request_id: str, principal: Principal, inlet: Inlet, outbox: Outbox) -> None:
        session = Session(self._services, principal, outbox, request_id, self._subscriptions)
        try:
            await until_first(session.listen(inlet), session.follow())
        finally:
            session.close()
