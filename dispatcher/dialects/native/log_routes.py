"""Handlers of the log operations."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing, closing

from dispatcher.dialects.call import Answer, Call, Stream
from dispatcher.dialects.native import wire_logs as wire
from dispatcher.dialects.native.options import ORIGIN, NativeOptions
from dispatcher.dialects.native.reporter import reporter_of
from dispatcher.dialects.native.requests import AppendLog
from dispatcher.dialects.native.validation import validate
from dispatcher.domain.clock import Clock
from dispatcher.domain.errors import DispatchError, Invalid, QuotaExceeded, Unauthorized
from dispatcher.domain.log import portions
from dispatcher.domain.principal import Principal
from dispatcher.service.services import Services
from dispatcher.service.tails import Follower
from dispatcher.web.answer import encode_json
from dispatcher.web.query import whole
from dispatcher.web.request_headers import attempt_number
from dispatcher.web.request_id import request_id_of
from dispatcher.web.sockets import Seats
from dispatcher.web.stream import EVENTS, PING

FARTHEST = 10**15 - 1
MOST_READ = 1_000


class LogRoutes:
    def __init__(self, services: Services, clock: Clock, options: NativeOptions) -> None:
        self._logs = services.logs
        self._clock = clock
        self._seats = Seats(options.streams)
        self._ping_s = options.stream_ping_ms / 1000
        self._stall_s = options.stream_stall_ms / 1000

    async def append(self, call: Call) -> Answer:
        body = validate(AppendLog, (await call.json()).members)
        attempt = body.attempt if body.attempt is not None else attempt_number(call.headers)
        by = reporter_of(call, attempt)
        following = await self._logs.append(call.path_id, by, wire.new_lines(body), origin=None, first=body.first)
        return Answer(encode_json({"taskId": call.path_id, "next": following}))

    async def read(self, call: Call) -> Answer:
        after = whole(call.query, "after", default=0, least=0, most=FARTHEST)
        limit = whole(call.query, "limit", default=MOST_READ, least=1, most=MOST_READ)
        page, rate = await self._logs.read(
            call.caller, call.path_id, origin=ORIGIN, after=after, limit=limit, rate=call.rule
        )
        return Answer(encode_json(wire.page_answer(call.path_id, page, after)), rate=rate)

    async def stream(self, call: Call) -> Stream:
        after = whole(call.query, "after", default=0, least=0, most=FARTHEST)
        if self._seats.full(call.caller):
            raise _no_seat()
        follower = await self._logs.follow(call.caller, call.path_id, origin=ORIGIN, after=_last_seen(call, after))
        events = self._seated(call.caller, follower, request_id_of(call.scope))
        return Stream(events, {"Content-Type": EVENTS}, stall_s=self._stall_s)

    async def _seated(self, principal: Principal, follower: Follower, request_id: str) -> AsyncGenerator[bytes, None]:
        """Lines, and the end; or, in the place of more lines, why there are none. The seat is taken when it begins:
        an answer that nobody reads never does."""
        if self._seats.full(principal):
            yield wire.error_event(_no_seat(), request_id)
            return
        with self._seats.taken(principal), closing(follower):
            try:
                async with aclosing(self._events(principal, follower)) as chunks:
                    async for chunk in chunks:
                        yield chunk
            except DispatchError as error:
                yield wire.error_event(error, request_id)

    async def _events(self, principal: Principal, follower: Follower) -> AsyncGenerator[bytes, None]:
        """Raises Unauthorized when the token ends, and as `Follower.next`."""
        while True:
            try:
                async with asyncio.timeout(min(self._ping_s, self._left_s(principal))):
                    page = await follower.next()
            except TimeoutError:
                yield PING
                continue
            for lines in portions(page.lines):
                yield wire.line_events(lines)
            if page.complete:
                yield wire.end_event(page)
                return

    def _left_s(self, principal: Principal) -> float:
        """How long the token that opened a stream is still good. Raises Unauthorized."""
        if not principal.expires_ms:
            return self._ping_s
        left_ms = principal.expires_ms - self._clock.now_ms()
        if left_ms <= 0:
            raise Unauthorized("The token has expired")
        return left_ms / 1000


def _no_seat() -> QuotaExceeded:
    return QuotaExceeded("Too many open streams")


def _last_seen(call: Call, after: int) -> int:
    """What a browser sends when it connects again counts more than what the address says. Raises Invalid."""
    given = call.headers.get("last-event-id")
    if given is None:
        return after
    if re.fullmatch(r"[0-9]{1,15}", given) is None:
        raise Invalid("Last-Event-ID must be the number of a line", field="Last-Event-ID")
    return int(given)
