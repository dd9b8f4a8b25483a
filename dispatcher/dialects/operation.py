"""One operation of a dialect, as data: routing, policy, OpenAPI and tests are all made from it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dispatcher.dialects.call import Answer, Call, Stream
from dispatcher.domain.errors import DispatchError, Forbidden
from dispatcher.domain.principal import Principal, Role
from dispatcher.web.rates import Rate

Handler = Callable[[Call], Awaitable[Answer | Stream]]


@dataclass(frozen=True, slots=True)
class Access:
    """Who may call an operation.

    public       anybody, without a token
    roles        a token with one of these roles
    own_server   also the token of the server that the path names by `{id}`
    callback     also the callback token of an attempt of the task that the path names by `{id}`
    fleet        acts on servers, whoever registered them: not for callers that came through an open door

    Who belongs to an open door (`Principal.door`) may do nothing anywhere else but a worker's own work.
    """

    roles: frozenset[Role] = frozenset()
    public: bool = False
    own_server: bool = False
    callback: bool = False
    fleet: bool = False
    refusal: str = "Admin role required"

    @property
    def is_policy(self) -> bool:
        return self.public or bool(self.roles)

    def check(self, principal: Principal, path_id: str, dialect: str) -> None:
        """Of an operation of this dialect. Raises Forbidden."""
        its_own = self.own_server and principal.serves(path_id)
        if principal.door and not (self._is_work(principal) or its_own):
            self._check_door(principal, dialect)
        if not (principal.roles & self.roles or its_own):
            raise Forbidden(self.refusal)

    def _is_work(self, principal: Principal) -> bool:
        """A worker's report, which counts for an attempt that it holds."""
        return self.callback and principal.server_id is not None

    def _check_door(self, principal: Principal, dialect: str) -> None:
        if principal.door != dialect:
            raise Forbidden("What came through an open door may do nothing here")
        if self.fleet:
            raise Forbidden("An open door is no way to the servers of the fleet")


PUBLIC = Access(public=True)
ANYBODY = Access(frozenset(Role))  # any role
CLIENTS = Access(frozenset({Role.CLIENT, Role.ADMIN}), refusal="Client role required")
ADMINS = Access(frozenset({Role.ADMIN}))
OPERATORS = Access(frozenset({Role.ADMIN}), fleet=True)
ADMINS_AND_ITSELF = Access(frozenset({Role.ADMIN}), own_server=True)
REPORTERS = Access(
    frozenset({Role.ADMIN, Role.SERVER}),
    callback=True,
    refusal="A callback token, the server's token or the admin role is required",
)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query or header parameter, or a header of an answer, for OpenAPI."""

    name: str
    place: str  # query | header
    schema: Mapping[str, Any]
    description: str

    def to_openapi(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "in": self.place,
            "required": False,
            "schema": dict(self.schema),
            "description": self.description,
        }


@dataclass(frozen=True, slots=True)
class Example:
    """A documented request body (None without one) and answer; `path` fills the path template."""

    answer: Any
    request: Any = None
    path: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation. `request` and `answer` are types that pydantic can describe. With `counts_itself` the handler
    counts the call under `call.rule` together with its own work; if it fails before, the call is counted then.
    `status` is that of a success, `also` are further ones that come with the same body; `empty` says when it answers
    204 without one, `answer` None that it always does. With `brings_result` the request may be as large as the answer
    of a server; `max_body` is the most bytes of its body, where that differs from the others'; with `body_optional`
    there may be none. `accepts` is the type of a request body that is no JSON, `media` that of the answer's;
    `answer_headers` come with it beside the rate limit."""

    id: str
    method: str
    path: str
    tag: str
    summary: str
    access: Access
    rate: Rate
    handler: Handler
    answer: Any
    request: Any = None
    parameters: tuple[Parameter, ...] = ()
    errors: tuple[type[DispatchError], ...] = ()
    example: Example | None = None
    counts_itself: bool = False
    also: tuple[int, ...] = ()
    empty: str = ""
    brings_result: bool = False
    max_body: int | None = None
    body_optional: bool = False
    accepts: str = ""
    media: str = "application/json"
    status: int = 200
    answer_headers: tuple[Parameter, ...] = ()
