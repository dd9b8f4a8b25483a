"""One call of an operation, as a handler sees it, and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.datastructures import Headers, QueryParams
from starlette.types import Receive, Scope

from dispatcher.domain.errors import RateState, Unauthorized
from dispatcher.domain.principal import Principal
from dispatcher.domain.reporter import ByAttempt
from dispatcher.service.ports import RateRule
from dispatcher.web.authentication import REFUSED
from dispatcher.web.body import BodyLimits, read_body
from dispatcher.web.jsonbody import JsonObject, parse_object, require_json


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer: JSON bytes, headers, and where the caller stands within its limit."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    rate: RateState | None = None


@dataclass(slots=True)
class Call:
    """A call whose caller is known.

    `rule` is what the call counts under (None: nothing); `rate` is set once counted by the dialect.
    """

    scope: Scope
    receive: Receive
    limits: BodyLimits
    principal: Principal | None = None
    attempt: ByAttempt | None = None
    rule: RateRule | None = None
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
        found: str = self.scope.get("path_params", {}).get("id", "")
        return found

    async def json(self) -> JsonObject:
        """The body as a strict JSON object. Raises Invalid, UnsupportedMedia, TooLarge, TooSlow."""
        require_json(self.scope)
        return parse_object(await read_body(self.scope, self.receive, self.limits))
