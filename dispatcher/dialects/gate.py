"""Who calls, may they, and within which limit: the same steps before every operation of every dialect."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from starlette.datastructures import Headers
from starlette.types import Receive, Scope

from dispatcher.dialects.call import Call
from dispatcher.dialects.operation import Operation
from dispatcher.domain.errors import RateState, Unauthorized
from dispatcher.domain.principal import Principal
from dispatcher.domain.reporter import ByAttempt
from dispatcher.domain.server import Server
from dispatcher.service.ports import Coordination, RateRule
from dispatcher.web.authentication import (
    REFUSED,
    Authenticator,
    KeyReader,
    bearer_token,
    refuse_query_token,
    sign_in,
)
from dispatcher.web.body import BodyLimits
from dispatcher.web.rates import OF_WORKERS, Rate, Rates

IsCurrent = Callable[[str, int], Awaitable[bool]]  # (server id, sequence number of its registration)
IssueServerToken = Callable[[Server, Principal], str]  # (server, who registers it or brings its last token)
ReadCallback = Callable[[str, str], ByAttempt]  # (task id, token); raises Unauthorized


@dataclass(frozen=True, slots=True)
class Gate:
    """What a dialect admits calls with. `results` are the limits of bodies that may hold the result of a task. With
    `anonymous` every caller is that principal, whatever token it brings. `keys` reads API keys where they count.
    `is_current` tells whether a registration holds, where the tokens that came with one do."""

    authenticator: Authenticator
    read_callback: ReadCallback
    coordination: Coordination
    rates: Rates = field(default_factory=Rates)
    limits: BodyLimits = field(default_factory=BodyLimits)
    results: BodyLimits = field(default_factory=lambda: BodyLimits(max_bytes=8_388_608))
    anonymous: Principal | None = None
    keys: KeyReader | None = None
    is_current: IsCurrent | None = None

    async def identify(self, dialect: str, operation: Operation, scope: Scope, receive: Receive) -> Call:
        """The call with its caller and its rule. Raises Unauthorized."""
        limits = self.results if operation.brings_result else self.limits
        if operation.max_body is not None:
            limits = replace(limits, max_bytes=operation.max_body)
        call = Call(scope, receive, limits)
        access = operation.access
        if access.public:
            return call
        if access.callback:
            call.attempt = self._attempt(scope, call.path_id)
        if call.attempt is None:
            call.principal = sign_in(scope, await self.caller_of(scope))
            await self.check_current(call.principal)
        call.rule = self._rule(dialect, operation, call)
        if call.attempt is None and operation.rate is not Rate.NONE:
            call.hour_rule = self.rates.hour_rule(dialect, call.caller.rate_key)
        return call

    def principal_of(self, scope: Scope) -> Principal:
        """Who calls. Raises Unauthorized."""
        if self.anonymous is not None:
            return self.anonymous
        return self.authenticator.authenticate(bearer_token(scope))

    async def caller_of(self, scope: Scope) -> Principal:
        """As `principal_of`, where an API key counts too. Raises Unauthorized."""
        return self.anonymous or await self.holder_of(bearer_token(scope))

    async def holder_of(self, text: str) -> Principal:
        """Whose token or API key this is. Raises Unauthorized."""
        if self.keys is not None and self.keys.is_key(text):
            return await self.keys.principal(text)
        return self.authenticator.authenticate(text)

    async def check_current(self, principal: Principal) -> None:
        """Raises Unauthorized for the token of a server that was removed, though another goes by its id now."""
        server_id, seq = principal.server_id, principal.registration
        if seq and server_id is not None and self.is_current is not None and not await self.is_current(server_id, seq):
            raise Unauthorized(REFUSED)

    async def still(self, principal: Principal) -> bool:
        """False once the API key that this caller came with is no more."""
        return self.keys is None or not principal.key_id or await self.keys.holds(principal.key_id)

    async def count(self, call: Call) -> None:
        """Count the call now, unless it was. Raises RateLimited."""
        if call.rate is None and (call.rule is not None or call.hour_rule is not None):
            call.rate = await self.limit(call.rule, call.hour_rule)

    async def limit(self, *rules: RateRule | None) -> RateState:
        """As `Coordination.limit`, under those that there are."""
        return await self.coordination.limit(*(rule for rule in rules if rule is not None))

    def _attempt(self, scope: Scope, task_id: str) -> ByAttempt | None:
        """The attempt whose callback token the call carries: in `X-Callback-Token`, else as the bearer token."""
        refuse_query_token(scope)
        given = Headers(scope=scope).getlist("x-callback-token")
        if len(given) > 1:
            raise Unauthorized(REFUSED)
        if given:
            return self.read_callback(task_id, given[0])
        try:
            return self.read_callback(task_id, bearer_token(scope))
        except Unauthorized:
            return None  # then it must be a token of a server or an admin

    def _rule(self, dialect: str, operation: Operation, call: Call) -> RateRule | None:
        rate = operation.rate
        if call.attempt is not None:
            return self.rates.rule(rate, dialect, f"task/{call.path_id}")
        caller = call.caller
        if rate not in OF_WORKERS:
            return self.rates.rule(rate, dialect, caller.rate_key)
        if caller.server_id is None:  # an admin who reports is no worker
            return self.rates.rule(Rate.DEFAULT, dialect, caller.rate_key)
        return self.rates.rule(rate, dialect, f"server/{caller.server_id}")
