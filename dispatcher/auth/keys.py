"""Keys that tokens are signed and verified with."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from dispatcher.auth.secret import check_secret, derive_key


@dataclass(frozen=True, slots=True)
class Key:
    """One key, bound to its algorithm: the token's header never chooses."""

    kid: str
    algorithm: str
    material: str = field(repr=False)


class KeySet(Protocol):
    """Where keys come from. `generation` changes with every change of the set: what was verified before is void."""

    @property
    def generation(self) -> int: ...

    def signing(self) -> Key:
        """The key for new tokens."""
        ...

    def verifying(self, kid: str | None) -> Sequence[Key]:
        """The keys to try for a token with this `kid`; all of them without one, none for an unknown one."""
        ...


class SecretKeys:
    """Shared secrets (HS256). The first signs, all verify: to rotate, put the new one in front and drop the old one
    when its last token has expired."""

    def __init__(self, secrets: Sequence[str]) -> None:
        """Raises ValueError for a weak secret, or none."""
        self.generation = 0
        self._keys = _keys(secrets)

    def replace(self, secrets: Sequence[str]) -> None:
        """Use other secrets from now on. Raises ValueError for a weak one, and then nothing changes."""
        self._keys = _keys(secrets)
        self.generation += 1

    def signing(self) -> Key:
        return self._keys[0]

    def verifying(self, kid: str | None) -> Sequence[Key]:
        return self._keys if kid is None else [key for key in self._keys if key.kid == kid]


def _keys(secrets: Sequence[str]) -> list[Key]:
    if not secrets:
        raise ValueError("at least one secret is needed")
    for secret in secrets:
        check_secret(secret)
    return [Key(derive_key(secret, "kid", 6).hex(), "HS256", secret) for secret in secrets]
