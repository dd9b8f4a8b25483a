"""API keys, by their ids."""

from typing import Protocol

from dispatcher.domain.apikey import ApiKey


class KeyStore(Protocol):
    async def put(self, key: ApiKey, digest: str) -> None:
        """Keep a new key with the digest of its secret. Raises Conflict TOO_MANY over 1,024."""
        ...

    async def get(self, key_id: str) -> tuple[ApiKey, str] | None:
        """A key and the digest of its secret."""
        ...

    async def all(self) -> list[ApiKey]:
        """Oldest first."""
        ...

    async def revoke(self, key_id: str) -> bool:
        """Forget a key; False when there is none."""
        ...
