"""Who reports on an attempt, and what the report counts for."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ByAttempt:
    """A report that names its attempt: the gateway that holds it, or the callback token."""

    fence: int
    nonce: str


@dataclass(frozen=True, slots=True)
class ByHolder:
    """A report by a worker: counts for that worker's current slot of the task (of attempt `fence` when given)."""

    server_id: str
    fence: int | None = None


@dataclass(frozen=True, slots=True)
class ByAdmin:
    """An admin's word: acts on the current attempt."""


Reporter = ByAttempt | ByHolder | ByAdmin
