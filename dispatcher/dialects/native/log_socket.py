"""`/api/task/{id}/logs/socket?after=n`: the lines of a task after a number, then each as it comes, until the end.

client                              gateway
{type: auth, token}                 {type: ready}           only when the handshake brought no token
                                    {type: line, seq, at, attempt, stream, text, rank?}
{type: ping}                        {type: pong}
                                    {type: end, status}     then the socket is closed with 1000
                                    {type: error, error, details, code, requestId}
"""

from contextlib import closing
from functools import partial

from starlette.datastructures import QueryParams
from starlette.types import Receive, Scope, Send

from dispatcher.dialects.doorkeeper import Doorkeeper, DoorLimits
from dispatcher.dialects.gate import Gate
from dispatcher.dialects.native import wire_logs as wire
from dispatcher.dialects.native.errors import error_message
from dispatcher.dialects.native.log_routes import FARTHEST
from dispatcher.dialects.native.options import ORIGIN, TASK_PATH
from dispatcher.dialects.operation import ANYBODY
from dispatcher.domain.clock import Clock
from dispatcher.domain.errors import DispatchError, Invalid, Overrun
from dispatcher.domain.log import portions
from dispatcher.domain.principal import Principal
from dispatcher.service.services import Services
from dispatcher.service.tails import Follower
from dispatcher.web.event_stream import CloseSocket, Inlet, Outbox, until_first
from dispatcher.web.jsonbody import parse_object
from dispatcher.web.query import whole
from dispatcher.web.request_id import request_id_of

LOG_PATH = f"{TASK_PATH}/logs/socket"
DONE = 1000


class LogSocket:
    """The ASGI application behind it. A reader that takes nothing for `stall_ms` is let go."""

    def __init__(self, services: Services, gate: Gate, clock: Clock, limits: DoorLimits, *, stall_ms: int) -> None:
        self._logs = services.logs
        self._door = Doorkeeper(ORIGIN, ANYBODY, gate, clock, limits)
        self._stall_s = stall_ms / 1000

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        tell_error = partial(error_message, request_id=request_id_of(scope))
        await self._door.admit(scope, receive, send, partial(self._serve, scope), tell_error)

    async def _serve(self, scope: Scope, principal: Principal, inlet: Inlet, outbox: Outbox) -> None:
        after = whole(QueryParams(scope.get("query_string", b"")), "after", default=0, least=0, most=FARTHEST)
        task_id: str = scope["path_params"]["id"]
        with closing(await self._logs.follow(principal, task_id, origin=ORIGIN, after=after)) as follower:
            await until_first(self._tail(follower, outbox), _listen(inlet, outbox, request_id_of(scope)))

    async def _tail(self, follower: Follower, outbox: Outbox) -> None:
        while True:
            page = await follower.next()
            for lines in portions(page.lines):
                await self._send(outbox, [wire.line_message(line) for line in lines])
            if page.complete:
                await self._send(outbox, [wire.end_message(page)])
                raise CloseSocket(DONE, "")

    async def _send(self, outbox: Outbox, messages: list[str]) -> None:
        """Raises Overrun."""
        try:
            await outbox.deliver_all(messages, within_s=self._stall_s)
        except TimeoutError:
            raise Overrun("Too slow: connect again and resume") from None


async def _listen(inlet: Inlet, outbox: Outbox, request_id: str) -> None:
    """A reader has little to say; but it may go away."""
    while True:
        try:
            if parse_object(await inlet.next()).members.get("type") != "ping":
                raise Invalid("Unknown message type", field="type")
            outbox.put('{"type":"pong"}')
        except DispatchError as error:
            outbox.put(error_message(error, request_id))
