"""What a gateway tells a worker to do, beside its tasks. Times are epoch milliseconds of the store."""

from dataclasses import dataclass
from enum import StrEnum

WAITING_MOST = 64  # commands of one worker that it has not acknowledged
KEPT_MS = 86_400_000  # after the deadline


class Verb(StrEnum):
    """What workers that keep a control channel understand; others may be sent too, and are answered with a failure."""

    RESTART = "worker.restart"
    LOAD = "model.load"
    UNLOAD = "model.unload"


class CommandState(StrEnum):
    QUEUED = "queued"
    SENT = "sent"
    ACKED = "acked"  # the worker has it, and need not be sent it again
    DONE = "done"
    FAILED = "failed"
    EXPIRED = "expired"  # the deadline passed without an end; a late end is still taken

    @property
    def ended(self) -> bool:
        return self in (CommandState.DONE, CommandState.FAILED, CommandState.EXPIRED)

    @property
    def rank(self) -> int:
        """A command only moves on to a higher rank."""
        return _RANKS[self]


_RANKS = {
    CommandState.QUEUED: 0,
    CommandState.SENT: 1,
    CommandState.ACKED: 2,
    CommandState.EXPIRED: 2,
    CommandState.DONE: 3,
    CommandState.FAILED: 3,
}


@dataclass(frozen=True, slots=True)
class NewCommand:
    """A command under an id that its sender chose: the same id again is the same command. `args` is a JSON object,
    It is given up at `deadline_ms`, or `for_ms` after it was kept where that is sooner."""

    id: str
    server_id: str
    verb: str
    deadline_ms: int
    args: str = "{}"
    for_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """A command as the store knows it. `detail` is what the worker said of its end: JSON of a success, the text of a
    failure."""

    id: str
    server_id: str
    verb: str
    args: str
    state: CommandState
    queued_ms: int
    deadline_ms: int
    detail: str = ""
