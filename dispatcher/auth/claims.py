"""The claims of a verified token, and the principal they make.

    exp      required; nbf, iat optional: whole seconds since 1970
    sub      required: 1..128 characters of A-Z a-z 0-9 . _ @ | + -
    role     client | server | admin; or roles, an array with at least one of these words (others are ignored)
    tid      tenant: 1..64 characters of A-Z a-z 0-9 . _ -; "default" when absent
    sid      the server that a server token is bound to: a core id or <dialect>:<external id>
    cid      the same for a client of the farm, by its Client-ID alone: what sid = farm:<Client-ID> says
    door     the dialect through whose open door the worker of a server token was registered: it counts there alone
    reg      the sequence number of the registration that a server token came with, from 1: it ends with that
    iss, aud checked against the settings

Neither `sub` nor `tid` may hold ":" or "/", which separate the parts of store keys and rate keys.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from dispatcher.domain.errors import Forbidden, Unauthorized
from dispatcher.domain.principal import Owner, Principal, Role

DEFAULT_TENANT = "default"
MOST = 100_000_000_000  # as a time the year 5138

_T = TypeVar("_T")
_SUB = re.compile(r"[A-Za-z0-9._@|+-]{1,128}")
_TID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SID = re.compile(r"[A-Za-z0-9._:@-]{1,128}")
_DOOR = re.compile(r"[a-z]{1,32}")
_ROLES = {role.value: role for role in Role}


def unauthorized() -> Unauthorized:
    """One text for every reason: a caller who guesses learns nothing."""
    return Unauthorized("Invalid or expired token")


def is_sub(text: str) -> bool:
    return _SUB.fullmatch(text) is not None


def is_tenant(text: str) -> bool:
    return _TID.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Span:
    """When a token counts, in epoch seconds; `leeway_s` is what clocks may differ."""

    not_before_s: int
    expires_s: int

    def check(self, now_s: float, leeway_s: int) -> None:
        """Raises Unauthorized outside of the span."""
        if now_s >= self.expires_s + leeway_s or now_s < self.not_before_s - leeway_s:
            raise unauthorized()


def read_claims(
    raw: bytes, *, issuer: str | None, audience: str | None, now_s: float, leeway_s: int
) -> tuple[Principal, Span]:
    """Raises Unauthorized for claims that do not hold now, Forbidden when all do but no role is known."""
    try:
        claims = json.loads(raw, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise unauthorized() from None
    if not isinstance(claims, dict):
        raise unauthorized()
    _check_parties(claims, issuer, audience)
    issued_s = _number(claims, "iat") or 0
    span = Span(max(_number(claims, "nbf") or 0, issued_s), _required(_number(claims, "exp")))
    span.check(now_s, leeway_s)
    owner = Owner(_word(claims, "tid", _TID) or DEFAULT_TENANT, _required(_word(claims, "sub", _SUB)))
    principal = Principal(
        owner,
        server_id=_server_id(claims),
        roles=_roles(claims),
        issued_ms=issued_s * 1000,
        expires_ms=span.expires_s * 1000,
        door=_word(claims, "door", _DOOR) or "",
        registration=_number(claims, "reg") or 0,
    )
    return principal, span


def _refuse(word: str) -> NoReturn:
    raise ValueError(word)


def _check_parties(claims: Mapping[str, Any], issuer: str | None, audience: str | None) -> None:
    if issuer is not None and claims.get("iss") != issuer:
        raise unauthorized()
    given = claims.get("aud", [])
    named = given if isinstance(given, list) else [given]
    # RFC 7519, 4.1.3: a token for others is refused, also by one who has no name of its own
    if (audience is not None or named) and audience not in named:
        raise unauthorized()


def _number(claims: Mapping[str, Any], name: str) -> int | None:
    if name not in claims:
        return None
    value: object = claims[name]
    if type(value) is not int or not 0 <= value <= MOST:  # a bool is no number, and a float may be infinite
        raise unauthorized()
    return value


def _word(claims: Mapping[str, Any], name: str, pattern: re.Pattern[str]) -> str | None:
    if name not in claims:
        return None
    value = claims[name]
    if not isinstance(value, str) or pattern.fullmatch(value) is None:
        raise unauthorized()
    return value


def _server_id(claims: Mapping[str, Any]) -> str | None:
    if "cid" not in claims:
        return _word(claims, "sid", _SID)
    if "sid" in claims:  # nobody is two workers
        raise unauthorized()
    return f"farm:{_word(claims, 'cid', _SID)}"


def _required(value: _T | None) -> _T:
    if value is None:
        raise unauthorized()
    return value


def _roles(claims: Mapping[str, Any]) -> frozenset[Role]:
    if "role" not in claims and "roles" not in claims:
        raise unauthorized()
    listed = claims.get("roles")
    words = [claims.get("role"), *(listed if isinstance(listed, list) else ())]
    roles = frozenset(_ROLES[word] for word in words if isinstance(word, str) and word in _ROLES)
    if not roles:
        raise Forbidden("The token has no role that is known here")
    return roles
