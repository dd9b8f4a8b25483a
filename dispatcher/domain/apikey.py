"""Keys of callers who sign in with one text for long. Times are epoch milliseconds."""

from dataclasses import dataclass

from dispatcher.domain.principal import Owner, Principal, Role

KEYS_MOST = 1_024  # of a namespace
NAME_MOST = 128  # characters


@dataclass(frozen=True, slots=True)
class ApiKey:
    """Whose a key is. The key itself is known to its holder only: what is kept is the SHA-256 of its secret."""

    id: str
    owner: Owner
    role: Role
    created_ms: int
    name: str = ""
    expires_ms: int = 0  # 0: never

    @property
    def principal(self) -> Principal:
        """Who calls with this key. Each key is counted by itself."""
        return Principal(
            self.owner,
            frozenset({self.role}),
            issued_ms=self.created_ms,
            expires_ms=self.expires_ms,
            key_id=self.id,
        )
