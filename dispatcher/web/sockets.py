"""What all WebSockets share: the handshake, who is calling, how many, the last words and the close code."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

import structlog
from starlette.types import Receive, Scope, Send

from dispatcher.domain.clock import Clock
from dispatcher.domain.errors import DispatchError, Unauthorized
from dispatcher.domain.principal import Principal
from dispatcher.web.authentication import REFUSED, Authenticator, sign_in, socket_token
from dispatcher.web.errors import close_code_of, internal_error
from dispatcher.web.event_stream import FLOOD, SIGNED_OUT, TOO_SLOW, CloseSocket, Disconnected, Inlet, Outbox
from dispatcher.web.jsonbody import parse_object
from dispatcher.web.request_id import request_id_of

SLOW_TIMES = 12

_log = structlog.get_logger("dispatcher.dialects")

Serve = Callable[[Inlet, Outbox], Awaitable[None]]
TellError = Callable[[DispatchError], str]  # the message that tells of an error


class Seats:
    """How many sockets, or streams, each principal has open on this gateway."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: Counter[str] = Counter()

    def full(self, principal: Principal) -> bool:
        """True when the principal has no seat left."""
        return self._taken[principal.rate_key] >= self._most

    @contextmanager
    def taken(self, principal: Principal) -> Iterator[None]:
        """A seat for the length of the block. Raises CloseSocket(1008) when there is none."""
        key = principal.rate_key
        if self.full(principal):
            raise CloseSocket(FLOOD, f"More than {self._most} sockets")
        self._taken[key] += 1
        try:
            yield
        finally:
            self._taken[key] -= 1
            if not self._taken[key]:
                del self._taken[key]


async def converse(
    scope: Scope,
    receive: Receive,
    send: Send,
    serve: Serve,
    *,
    clock: Clock,
    tell_error: TellError,
    close_code: Callable[[DispatchError], int] = close_code_of,
    max_bytes: int,
    per_second: int,
    queue: int,
    farewell_s: float,
) -> None:
    """Accept a socket and serve it until `serve` returns, the other side goes away, or an error ends it: a CloseSocket
    closes with its code, a DispatchError is told (`tell_error`) and closes with its own (`close_code`); any other is
    logged, and told as a fault of ours.

    A message has at most `max_bytes`, `per_second` of them are taken, `queue` may wait to be read; the last words have
    `farewell_s` seconds.
    """
    if (await receive())["type"] != "websocket.connect":
        return
    offered = scope.get("subprotocols", [])
    # echoed: a browser gives up when none of the protocols that it offered is chosen; never the token itself
    protocol = offered[0] if offered and offered[0].lower() == "bearer" else None
    await send({"type": "websocket.accept", "subprotocol": protocol})
    inlet = Inlet(receive, clock, max_bytes=max_bytes, per_second=per_second)
    outbox = Outbox(send, queue)
    try:
        await serve(inlet, outbox)
    except Disconnected:
        return
    except CloseSocket as close:
        await farewell(outbox, send, close, farewell_s)
    except Exception as error:  # noqa: BLE001 - logged; the other side learns nothing of it
        if not isinstance(error, DispatchError):
            _log.exception("unexpected", path=scope["path"], request_id=request_id_of(scope))
            error = internal_error()
        outbox.put_last(tell_error(error))
        await farewell(outbox, send, CloseSocket(close_code(error), error.message[:120]), farewell_s)
    finally:
        await outbox.close()


async def farewell(outbox: Outbox, send: Send, close: CloseSocket, limit_s: float) -> None:
    """The last words and the close code, within `limit_s` seconds; within twelve times as long to one who was too slow,
    and may read again."""
    if close.code == TOO_SLOW:
        limit_s *= SLOW_TIMES
    with suppress(TimeoutError):  # the server drops the connection when we return
        async with asyncio.timeout(limit_s):
            await outbox.flush()
            await send({"type": "websocket.close", "code": close.code, "reason": close.reason})


async def signed_in(
    scope: Scope, inlet: Inlet, outbox: Outbox, authenticator: Authenticator, *, within_s: float
) -> Principal:
    """The caller: by the handshake, else by a first message `{type: auth, token}` within `within_s` seconds, which is
    answered `{type: ready}`. Raises Unauthorized."""
    token = socket_token(scope)
    told = token is None
    if token is None:
        try:
            async with asyncio.timeout(within_s):
                first = parse_object(await inlet.next()).members
        except TimeoutError:
            raise Unauthorized(REFUSED) from None
        token = first.get("token")
        if first.get("type") != "auth" or not isinstance(token, str):
            raise Unauthorized(REFUSED)
    principal = sign_in(scope, authenticator.authenticate(token))
    if told:
        outbox.put('{"type":"ready"}')
    return principal


async def expire(principal: Principal, clock: Clock) -> None:
    """A socket does not outlive the token that opened it."""
    await asyncio.sleep(max(0.0, (principal.expires_ms - clock.now_ms()) / 1000))
    raise CloseSocket(SIGNED_OUT, "The token has expired")
