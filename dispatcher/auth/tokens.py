"""JSON Web Tokens in and out (RFC 7519, with the advice of RFC 8725)."""

import hashlib
import json
from collections.abc import Iterable

from jwt.api_jws import PyJWS
from jwt.exceptions import InvalidAlgorithmError, InvalidSignatureError, PyJWTError

from dispatcher.auth.cache import RecentlyUsed
from dispatcher.auth.claims import DEFAULT_TENANT, Span, read_claims, unauthorized
from dispatcher.auth.keys import KeySet
from dispatcher.domain.clock import Clock, SystemClock
from dispatcher.domain.errors import DispatchError
from dispatcher.domain.principal import Principal, Role

MAX_TOKEN_CHARS = 8192
# Signatures only: claims are checked here, by a clock that is an argument and with types as strict as we need.
_JWS = PyJWS(options={"verify_signature": True, "enforce_minimum_key_length": True})


class Tokens:
    """Issues tokens, and tells whose a token is.

    A signature is verified once: principals are kept by the token's SHA-256, at most `cache_size` of them, and then
    only the times are checked, on each use. A change of the keys empties the cache.
    """

    def __init__(
        self,
        keys: KeySet,
        *,
        issuer: str | None = None,
        audience: str | None = None,
        leeway_s: int = 5,
        clock: Clock | None = None,
        cache_size: int = 4096,
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._leeway_s = leeway_s
        self._clock = clock or SystemClock()
        self._generation = keys.generation
        self._verified: RecentlyUsed[tuple[Principal, Span]] = RecentlyUsed(cache_size)

    def issue(
        self,
        sub: str,
        roles: Iterable[str],
        ttl_s: int,
        tenant: str = DEFAULT_TENANT,
        server_id: str | None = None,
        *,
        door: str = "",
        registration: int = 0,
    ) -> str:
        """A new token, valid from now for `ttl_s` seconds (> 0). `roles` are words of `Role`, at least one. `door` and
        `registration` are those of `Principal`.

        Raises ValueError for whatever `authenticate` would refuse.
        """
        now_s = self._clock.now_ms() // 1000
        words = sorted(Role(word).value for word in roles)
        claims: dict[str, object] = {"sub": sub, "tid": tenant, "iat": now_s, "exp": now_s + ttl_s}
        claims |= {"role": words[0]} if len(words) == 1 else {"roles": words}
        optional: dict[str, object] = {"sid": server_id, "iss": self._issuer, "aud": self._audience}
        optional |= {"door": door or None, "reg": registration or None}
        claims |= {name: value for name, value in optional.items() if value is not None}
        raw = json.dumps(claims, separators=(",", ":")).encode()
        try:
            self._read(raw, leeway_s=0)
        except DispatchError:
            raise ValueError("no token can be made of these claims") from None
        key = self._keys.signing()
        return _JWS.encode(raw, key.material, key.algorithm, headers={"kid": key.kid})

    def authenticate(self, token: str) -> Principal:
        """The principal of a token. Raises Unauthorized, or Forbidden when all holds but no role is known."""
        if len(token) > MAX_TOKEN_CHARS or not token.isascii():
            raise unauthorized()
        if self._generation != self._keys.generation:
            self._verified.clear()
            self._generation = self._keys.generation
        digest = hashlib.sha256(token.encode()).digest()
        known = self._verified.get(digest)
        if known is not None:
            principal, span = known
            span.check(self._clock.now_ms() / 1000, self._leeway_s)
            return principal
        principal, span = self._read(self._payload(token), leeway_s=self._leeway_s)
        self._verified.put(digest, (principal, span))
        return principal

    def _read(self, raw: bytes, *, leeway_s: int) -> tuple[Principal, Span]:
        now_s = self._clock.now_ms() / 1000
        return read_claims(raw, issuer=self._issuer, audience=self._audience, now_s=now_s, leeway_s=leeway_s)

    def _payload(self, token: str) -> bytes:
        """The signed bytes of a token whose signature holds. Raises Unauthorized."""
        try:
            header = _JWS.get_unverified_header(token)
            typ = header.get("typ", "JWT")
            if "crit" in header or "b64" in header or not isinstance(typ, str) or typ.upper() != "JWT":
                raise unauthorized()
            for key in self._keys.verifying(header.get("kid")):
                try:
                    return bytes(_JWS.decode(token, key.material, algorithms=[key.algorithm]))
                except (InvalidSignatureError, InvalidAlgorithmError):
                    continue
        except PyJWTError:
            pass
        raise unauthorized()
