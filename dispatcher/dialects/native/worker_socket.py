"""`/api/servers/{id}/socket?bootId=...`: a worker is handed its tasks over a connection that it opened itself.

worker                                              gateway
                                                    {type: welcome, serverId, heartbeatMs, leaseMs,
                                                     maxMessage}
{type: hello, kinds, resources, maxConcurrent, commands,
       loadable}
{type: ready, slots}                                {type: task, task}             as a claim answers, `slots` times
{type: heartbeat, status, activeTasks, ...}         {type: pong, serverToken?}
{type: progress, taskId, attempt, progress, ...}
{type: result, taskId, attempt, status, ...}        {type: ack, taskId, attempt, accepted, code?}
{type: release, taskId, attempt, declined?}         {type: ack, ...}
                                                    {type: command, id, verb, args}
{type: commandAck | commandDone | commandFailed,
       id, detail | error}                          {type: commandRecorded, id}     of an end
{type: bye}                                         the socket is closed with 1000, and the server offline at once
{type: ping}                                        {type: pong}
                                                    {type: control, action, taskId, attempt, reason}
                                                    {type: error, error, details, code, taskId?, attempt?,
                                                     about?}
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from starlette.datastructures import QueryParams
from starlette.types import Receive, Scope, Send

from dispatcher.dialects.gate import Gate, IssueServerToken
from dispatcher.dialects.native.errors import error_message
from dispatcher.dialects.native.options import ORIGIN, NativeOptions
from dispatcher.dialects.native.server_routes import needs_token
from dispatcher.dialects.native.wire_claims import GrantWire
from dispatcher.dialects.native.worker_channel import WorkerChannel
from dispatcher.dialects.native.worker_orders import WorkerOrders
from dispatcher.dialects.native.worker_session import WorkerSession
from dispatcher.dialects.operation import ADMINS_AND_ITSELF
from dispatcher.domain.clock import Clock
from dispatcher.domain.errors import IllegalState, Invalid, Unauthorized
from dispatcher.domain.ids import is_id
from dispatcher.domain.principal import Principal
from dispatcher.domain.server import Server, Transport
from dispatcher.service.services import Services
from dispatcher.web.answer import encode_json
from dispatcher.web.authentication import REFUSED
from dispatcher.web.event_stream import Inlet, Outbox, until_first
from dispatcher.web.rates import Rate
from dispatcher.web.request_id import request_id_of
from dispatcher.web.sockets import Seats, converse, expire, signed_in

WORKER_PATH = "/api/servers/{id}/socket"
SILENT = 4408
ENVELOPE = 65_536  # what a message may hold beside a result
CARRIED = 15 << 20  # of a result: an ASGI server may break the connection over a frame of 16 MiB, without a word


@dataclass(frozen=True, slots=True)
class WorkerSocketLimits:
    """Bytes of a result and of any other message; `sockets` is per principal and gateway; `beats_missed` in a row, and
    nothing else either, close the socket."""

    max_result: int = 8_388_608
    max_message: int = 1_048_576
    messages_per_second: int = 500
    queue: int = 256
    sockets: int = 1000
    beats_missed: int = 3
    sign_in_s: float = 10.0
    farewell_s: float = 5.0

    @property
    def largest(self) -> int:
        """Bytes of a message with a result."""
        return min(self.max_result, CARRIED) + ENVELOPE


class WorkerSocket:
    """The ASGI application behind it."""

    def __init__(
        self,
        services: Services,
        gate: Gate,
        clock: Clock,
        *,
        options: NativeOptions,
        limits: WorkerSocketLimits,
        wire: GrantWire,
        issue_server_token: IssueServerToken,
    ) -> None:
        self._services = services
        self._gate = gate
        self._clock = clock
        self._options = options
        self._limits = limits
        self._wire = wire
        self._issue = issue_server_token
        self._seats = Seats(limits.sockets)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        limits = self._limits
        await converse(
            scope,
            receive,
            send,
            partial(self._serve, scope),
            clock=self._clock,
            tell_error=partial(error_message, request_id=request_id_of(scope)),
            max_bytes=limits.largest,
            per_second=limits.messages_per_second,
            queue=limits.queue,
            farewell_s=limits.farewell_s,
        )

    async def _serve(self, scope: Scope, inlet: Inlet, outbox: Outbox) -> None:
        principal = await signed_in(scope, inlet, outbox, self._gate.authenticator, within_s=self._limits.sign_in_s)
        server_id: str = scope["path_params"]["id"]
        ADMINS_AND_ITSELF.check(principal, server_id, ORIGIN)
        with self._seats.taken(principal):
            await self._count(server_id)
            server = await self._services.servers.get(server_id)
            if principal.registration not in (0, server.seq):  # it was removed, and another goes by its id
                raise Unauthorized(REFUSED)
            if server.transport is not Transport.SOCKET:
                raise IllegalState(f"This server is registered with transport {server.transport}, not socket")
            await self._work(scope, server, _start(scope), principal, inlet, outbox)

    async def _work(
        self, scope: Scope, server: Server, start: str, principal: Principal, inlet: Inlet, outbox: Outbox
    ) -> None:
        server_id = server.id
        lease_ms = self._options.claim_lease_ms
        heartbeat_ms = min(self._options.heartbeat_ms, lease_ms // 3)
        channel = WorkerChannel(outbox, partial(self._wire, lease_ms=lease_ms))
        async with self._services.sessions.open(server_id, channel, lease_ms=lease_ms, start=start) as session:
            welcome = {
                "type": "welcome",
                "serverId": server_id,
                "heartbeatMs": heartbeat_ms,
                "leaseMs": lease_ms,
                "maxMessage": self._limits.largest,
            }
            outbox.put(encode_json(welcome).decode())
            orders = WorkerOrders(self._services, server_id, outbox)
            worker = WorkerSession(
                session,
                orders,
                outbox,
                self._clock,
                request_id=request_id_of(scope),
                count=partial(self._count, server_id),
                fresh_token=self._fresh_token(principal, server),
                max_message=self._limits.max_message,
            )
            silence_s = self._limits.beats_missed * heartbeat_ms / 1000
            await until_first(
                worker.listen(inlet),
                orders.deliver(),
                inlet.watch_silence(silence_s, SILENT),
                outbox.run(),
                channel.closed(),
                expire(principal, self._clock),
            )

    async def _count(self, server_id: str) -> None:
        rule = self._gate.rates.rule(Rate.REPORT, ORIGIN, f"server/{server_id}")
        if rule is not None:
            await self._services.coordination.limit(rule)

    def _fresh_token(self, principal: Principal, server: Server) -> Callable[[], str | None]:
        def fresh() -> str | None:
            needed = needs_token(principal, server, self._clock.now_ms())
            return self._issue(server, principal) if needed else None

        return fresh


def _start(scope: Scope) -> str:
    """What the worker calls the time since it was started, empty where it does not say. Raises Invalid."""
    given = QueryParams(scope.get("query_string", b"")).get("bootId", "")
    if given and not is_id(given):
        raise Invalid("Invalid field bootId: 1 to 64 letters, digits, - and _", field="bootId")
    return given
