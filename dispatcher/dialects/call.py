"""One call of an operation, as a handler sees it, and what it answers."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from starlette.datastructures import Headers, QueryParams
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from dispatcher.domain.errors import RateState, Unauthorized
from dispatcher.domain.principal import Principal
from dispatcher.domain.reporter import ByAttempt
from dispatcher.service.ports import RateRule
from dispatcher.web.authentication import REFUSED
from dispatcher.web.body import BodyLimits, read_body, read_chunks
from dispatcher.web.jsonbody import JsonObject, parse_array, parse_object, require_json

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer: JSON bytes, headers, and where the caller stands within its limit."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    rate: RateState | None = None


@dataclass(frozen=True, slots=True)
class Stream:
    """A successful answer that is sent as it comes. `headers` name its Content-Type.

    What goes wrong after the first chunk has no status: the chunks tell of it in their own form, or break off. So does
    a client that does not take one within `stall_s` (None: it may take its time), see `StreamedResponse`.
    """

    chunks: AsyncGenerator[bytes, None]
    headers: Mapping[str, str]
    status: int = 200
    rate: RateState | None = None
    stall_s: float | None = None


@dataclass(slots=True)
class Call:
    """A call whose caller is known.

    `rule` is what the call counts under (None: nothing), `hour_rule` beside it; `rate` is set once counted by the
    dialect.
    """

    scope: Scope
    receive: Receive
    limits: BodyLimits
    principal: Principal | None = None
    attempt: ByAttempt | None = None
    rule: RateRule | None = None
    hour_rule: RateRule | None = None
    rate: RateState | None = None

    @property
    def caller(self) -> Principal:
        """The principal. Raises Unauthorized when the call was made without a token."""
        if self.principal is None:
            raise Unauthorized(REFUSED)
        return self.principal

    @property
    def headers(self) -> Headers:
        return Headers(scope=self.scope)

    @property
    def query(self) -> QueryParams:
        return QueryParams(self.scope.get("query_string", b""))

    @property
    def path_id(self) -> str:
        return self.path_part("id")

    def path_part(self, name: str) -> str:
        """What stands in the path at `{name}`."""
        found: str = self.scope.get("path_params", {}).get(name, "")
        return found

    async def json(self) -> JsonObject:
        """The body as a strict JSON object. Raises Invalid, UnsupportedMedia, TooLarge, TooSlow."""
        require_json(self.scope)
        return parse_object(await read_body(self.scope, self.receive, self.limits))

    async def json_if_any(self) -> JsonObject:
        """As `json`; no body is an empty object, and one that is of no type at all is taken for JSON."""
        raw = await read_body(self.scope, self.receive, self.limits)
        if raw and "content-type" in self.headers:
            require_json(self.scope)
        return parse_object(raw or b"{}")

    async def json_array(self) -> list[Any]:
        """The body as a strict JSON array. Raises as `json`."""
        require_json(self.scope)
        return parse_array(await read_body(self.scope, self.receive, self.limits))

    def chunks(self, max_bytes: int) -> AsyncIterator[bytes]:
        """The body as it comes, of any type. Raises TooLarge, TooSlow, Invalid while it is read."""
        return read_chunks(self.scope, self.receive, max_bytes=max_bytes, idle_s=self.limits.deadline_s)

    async def while_there(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`, which is cancelled when the caller goes away first. After the body was read.

        Raises ClientDisconnect.
        """
        working = asyncio.ensure_future(work)
        leaving = asyncio.ensure_future(self._left())
        both: set[asyncio.Future[Any]] = {working, leaving}
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise ClientDisconnect
            return working.result()
        finally:
            for future in both:
                future.cancel()
            await asyncio.wait(both)

    async def _left(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass
