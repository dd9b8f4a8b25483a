"""Commands to workers, delivered at least once: a worker does each id once."""

from typing import Protocol

from dispatcher.domain.command import Command, CommandState, NewCommand


class CommandStore(Protocol):
    async def enqueue(self, command: NewCommand) -> Command:
        """Keep a command for its worker and tell the fleet's stream (`command`, `id` is the worker). A known id is
        answered as it stands. Raises NotFound for an unknown worker, NoControl for one without a socket or offline,
        Conflict (TOO_MANY) when 64 wait for it, Invalid for a deadline in the past."""
        ...

    async def pending(self, server_id: str) -> list[Command]:
        """What a worker is still to be sent, oldest first: neither acknowledged nor past its deadline."""
        ...

    async def report(self, server_id: str, command_id: str, state: CommandState, detail: str = "") -> Command:
        """SENT, ACKED, DONE or FAILED; one that does not move it on changes nothing. Raises NotFound, also for a
        command of another worker."""
        ...

    async def get(self, command_id: str) -> Command:
        """Raises NotFound; a day after its deadline a command is forgotten."""
        ...
