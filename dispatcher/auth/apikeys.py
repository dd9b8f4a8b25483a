"""API keys: `edk_<id>_<secret>`. The secret has 256 random bits, so one SHA-256 of it is all that has to be kept."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable

from dispatcher.auth.claims import is_sub, is_tenant, unauthorized
from dispatcher.domain.apikey import NAME_MOST, ApiKey
from dispatcher.domain.clock import Clock
from dispatcher.domain.principal import Owner, Principal, Role
from dispatcher.service.ports import KeyStore

PREFIX = "edk_"
_KEY = re.compile(r"edk_([0-9a-f]{16})_([0-9a-f]{64})")


class ApiKeys:
    """Makes keys and reads them. A revoked key is refused from the next call on, on every gateway."""

    def __init__(self, keys: KeyStore, clock: Clock, entropy: Callable[[int], bytes] = secrets.token_bytes) -> None:
        self._keys = keys
        self._clock = clock
        self._entropy = entropy

    async def create(self, owner: Owner, role: Role, *, name: str = "", ttl_ms: int = 0) -> tuple[ApiKey, str]:
        """A new key (0 ms: for ever), and the text that only its holder is to know from now on.

        Raises ValueError for a subject, tenant or name that cannot be, Conflict TOO_MANY.
        """
        if not is_sub(owner.sub) or not is_tenant(owner.tenant):
            raise ValueError("no key can be made for this subject")
        if len(name) > NAME_MOST or not name.isprintable():
            raise ValueError("a name is at most 128 printable characters")
        now_ms = self._clock.now_ms()
        expires_ms = now_ms + ttl_ms if ttl_ms else 0
        key = ApiKey(self._entropy(8).hex(), owner, role, now_ms, name, expires_ms)
        secret = self._entropy(32).hex()
        await self._keys.put(key, _digest(secret))
        return key, f"{PREFIX}{key.id}_{secret}"

    def is_key(self, text: str) -> bool:
        """True for what is meant to be a key, good or not; it is never a token."""
        return text.startswith(PREFIX)

    async def principal(self, text: str) -> Principal:
        """Who holds a key. Raises Unauthorized."""
        parts = _KEY.fullmatch(text)
        found = await self._keys.get(parts[1]) if parts is not None else None
        if parts is None or found is None:
            raise unauthorized()
        key, digest = found
        expired = 0 < key.expires_ms <= self._clock.now_ms()
        if expired or not hmac.compare_digest(digest, _digest(parts[2])):
            raise unauthorized()
        return key.principal

    async def holds(self, key_id: str) -> bool:
        """False for a key that was revoked."""
        return await self._keys.get(key_id) is not None


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
