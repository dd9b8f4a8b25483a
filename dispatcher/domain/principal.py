"""Who is calling. Identity comes from the token alone, never from a body or a query."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    CLIENT = "client"  # submits tasks and sees its own
    SERVER = "server"  # a worker, bound to one server id
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Owner:
    """Whom a task belongs to. In every index of the store."""

    tenant: str
    sub: str


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller.

    `server_id` is the core id (or `<dialect>:<external id>`) a server token is bound to. `expires_ms` and `issued_ms`
    are epoch milliseconds; `expires_ms` 0 is never. `key_id` is that of the API key it called with. `door` is the
    dialect through whose open door it came, without a token, or its worker was registered: it counts there alone.
    `registration` is the sequence number of the registration that a server's token came with; 0 for other tokens.
    """

    owner: Owner
    roles: frozenset[Role]
    server_id: str | None = None
    issued_ms: int = 0
    expires_ms: int = 0
    key_id: str = ""
    door: str = ""
    registration: int = 0

    @property
    def is_admin(self) -> bool:
        return Role.ADMIN in self.roles

    @property
    def realm(self) -> str:
        """Within what the workers that it names have their names: its tenant, or apart from all tenants an open door.
        No tenant's name has a colon."""
        return f"{self.owner.tenant}:{self.door}" if self.door else self.owner.tenant

    def serves(self, server_id: str) -> bool:
        """True for the token of exactly this server."""
        return Role.SERVER in self.roles and self.server_id == server_id

    def may_be(self, *names: str) -> bool:
        """False for a server token that is bound to a worker by another name."""
        return Role.SERVER not in self.roles or self.server_id is None or self.server_id in names

    @property
    def rate_key(self) -> str:
        """What its requests are counted under: one key per principal over all its tokens, one per API key."""
        name = f"{self.owner.tenant}/{self.owner.sub}"
        return f"{name}/{self.key_id}" if self.key_id else name
