"""Commands to workers in dicts."""

from dataclasses import replace

from dispatcher.domain.command import KEPT_MS, WAITING_MOST, Command, CommandState, NewCommand
from dispatcher.domain.errors import NotFound
from dispatcher.domain.server import Transport
from dispatcher.store.memory.state import State
from dispatcher.store.refusals import no_control, too_late, too_many_commands


def shown_now(s: State, command: Command) -> Command:
    """As it is now: one that did not end by its deadline has expired."""
    late = command.deadline_ms <= s.now and not command.state.ended
    return replace(command, state=CommandState.EXPIRED) if late else command


def waiting(s: State, server_id: str) -> list[Command]:
    """Those that the worker has not acknowledged."""
    mine = (shown_now(s, command) for command in s.commands.values() if command.server_id == server_id)
    return [command for command in mine if command.state in (CommandState.QUEUED, CommandState.SENT)]


def keep(s: State, new: NewCommand, deadline_ms: int) -> Command | None:
    """Keep a command for its worker; None when too many wait there."""
    if len(waiting(s, new.server_id)) >= WAITING_MOST:
        return None
    s.commands_kept += 1
    s.commands[new.id] = kept = Command(
        new.id, new.server_id, new.verb, new.args, CommandState.QUEUED, s.now, deadline_ms
    )
    s.hub.event("command", {"id": new.server_id})
    return kept


class MemoryCommands:
    """Implements `CommandStore`."""

    def __init__(self, state: State) -> None:
        self._s = state

    async def enqueue(self, command: NewCommand) -> Command:
        s = self._s
        known = self._known(command.id)
        if known is not None:
            return known
        server = s.server(command.server_id)
        if server.new.transport is not Transport.SOCKET or not server.online:
            raise no_control()
        deadline_ms = command.deadline_ms
        if command.for_ms is not None:
            deadline_ms = min(deadline_ms, s.now + command.for_ms)
        if deadline_ms <= s.now:
            raise too_late()
        kept = keep(s, command, deadline_ms)
        if kept is None:
            raise too_many_commands()
        return kept

    async def pending(self, server_id: str) -> list[Command]:
        return waiting(self._s, server_id)

    async def report(self, server_id: str, command_id: str, state: CommandState, detail: str = "") -> Command:
        shown = await self.get(command_id)
        if shown.server_id != server_id:
            raise NotFound(f"Command not found: {command_id}")
        kept = self._s.commands[command_id]
        if state.rank <= kept.state.rank:
            return shown
        self._s.commands[command_id] = moved = replace(kept, state=state, detail=detail)
        return shown_now(self._s, moved)

    async def get(self, command_id: str) -> Command:
        found = self._known(command_id)
        if found is None:
            raise NotFound(f"Command not found: {command_id}")
        return found

    def _known(self, command_id: str) -> Command | None:
        command = self._s.commands.get(command_id)
        if command is None or command.deadline_ms + KEPT_MS <= self._s.now:
            return None
        return shown_now(self._s, command)
