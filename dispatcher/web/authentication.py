"""Who is calling: exactly one bearer token, from the one place where it may stand."""

import re
from collections.abc import Sequence
from typing import Protocol

from starlette.datastructures import Headers, QueryParams
from starlette.types import Scope

from dispatcher.domain.errors import Unauthorized
from dispatcher.domain.principal import Principal

REFUSED = "Invalid or expired token"
_BEARER = re.compile(r"bearer +([\x21-\x7e]{1,8192})", re.IGNORECASE)
_IN_QUERY = ("token", "access_token", "jwt", "authorization")


class Authenticator(Protocol):
    """Turns a token into a caller."""

    def authenticate(self, token: str) -> Principal:
        """Raises Unauthorized."""
        ...


class KeyReader(Protocol):
    """Turns an API key into a caller."""

    def is_key(self, text: str) -> bool:
        """True for what is meant to be a key, good or not."""
        ...

    async def principal(self, text: str) -> Principal:
        """Raises Unauthorized."""
        ...

    async def holds(self, key_id: str) -> bool:
        """False for a key that was revoked."""
        ...


def refuse_query_token(scope: Scope) -> None:
    """Raises Unauthorized for a token in the query: it would end up in logs and histories (RFC 6750 section 2.3)."""
    query = QueryParams(scope.get("query_string", b""))
    if any(name in query for name in _IN_QUERY):
        raise Unauthorized("A token in the query is refused")


def bearer_token(scope: Scope) -> str:
    """The token of the one `Authorization: Bearer` header. Raises Unauthorized when there is none, or two."""
    refuse_query_token(scope)
    given = Headers(scope=scope).getlist("authorization")
    found = _BEARER.fullmatch(given[0].strip()) if len(given) == 1 else None
    if found is None:
        raise Unauthorized(REFUSED)
    return found[1]


def socket_token(scope: Scope) -> str | None:
    """The token of a WebSocket handshake: the Authorization header, else the subprotocols `bearer, <jwt>` (a browser
    cannot set headers). None when the first message is to bring it. Raises Unauthorized."""
    refuse_query_token(scope)
    if "authorization" in Headers(scope=scope):
        return bearer_token(scope)
    offered: Sequence[str] = scope.get("subprotocols", [])
    if not offered or offered[0].lower() != "bearer":
        return None
    if len(offered) != 2:
        raise Unauthorized(REFUSED)
    return offered[1]


def sign_in(scope: Scope, principal: Principal) -> Principal:
    """Note the caller in the request's state, for the log."""
    scope.setdefault("state", {})["principal"] = principal
    return principal
