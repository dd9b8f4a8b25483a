"""Commands to workers in dicts."""

from dataclasses import replace

from dispatcher.domain.command import KEPT_MS, WAITING_MOST, Command, CommandState, NewCommand
from dispatcher.domain.errors import NotFound
from dispatcher.domain.server import Transport
from dispatcher.store.memory.state import State
from dispatcher.store.refusals import no_control, too_late, too_many_commands


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
        if len(await self.pending(server.id)) >= WAITING_MOST:
            raise too_many_commands()
        s.commands[command.id] = Command(
            command.id, server.id, command.verb, command.args, CommandState.QUEUED, s.now, deadline_ms
        )
        s.hub.event("command", {"id": server.id})
        return s.commands[command.id]

    async def pending(self, server_id: str) -> list[Command]:
        unacknowledged = (CommandState.QUEUED, CommandState.SENT)
        mine = (self._shown(c) for c in self._s.commands.values() if c.server_id == server_id)
        return [command for command in mine if command.state in unacknowledged]

    async def report(self, server_id: str, command_id: str, state: CommandState, detail: str = "") -> Command:
        shown = await self.get(command_id)
        if shown.server_id != server_id:
            raise NotFound(f"Command not found: {command_id}")
        kept = self._s.commands[command_id]
        if state.rank <= kept.state.rank:
            return shown
        self._s.commands[command_id] = moved = replace(kept, state=state, detail=detail)
        return self._shown(moved)

    async def get(self, command_id: str) -> Command:
        found = self._known(command_id)
        if found is None:
            raise NotFound(f"Command not found: {command_id}")
        return found

    def _known(self, command_id: str) -> Command | None:
        command = self._s.commands.get(command_id)
        if command is None or command.deadline_ms + KEPT_MS <= self._s.now:
            return None
        return self._shown(command)

    def _shown(self, command: Command) -> Command:
        """As it is now: one that did not end by its deadline has expired."""
        late = command.deadline_ms <= self._s.now and not command.state.ended
        return replace(command, state=CommandState.EXPIRED) if late else command
