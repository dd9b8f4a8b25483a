"""API keys in a dict. Implements `service.ports.KeyStore`."""

from dispatcher.domain.apikey import KEYS_MOST, ApiKey
from dispatcher.domain.errors import TooMany


class MemoryKeys:
    def __init__(self) -> None:
        self._keys: dict[str, tuple[ApiKey, str]] = {}

    async def put(self, key: ApiKey, digest: str) -> None:
        if key.id not in self._keys and len(self._keys) >= KEYS_MOST:
            raise TooMany(f"There are {KEYS_MOST} API keys: revoke one first")
        self._keys.setdefault(key.id, (key, digest))

    async def get(self, key_id: str) -> tuple[ApiKey, str] | None:
        return self._keys.get(key_id)

    async def all(self) -> list[ApiKey]:
        return sorted((key for key, _ in self._keys.values()), key=lambda key: (key.created_ms, key.id))

    async def revoke(self, key_id: str) -> bool:
        return self._keys.pop(key_id, None) is not None
