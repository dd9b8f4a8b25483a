"""Commands to workers in Redis. Implements `service.ports.CommandStore`."""

from collections.abc import Sequence

from dispatcher.domain.command import Command, CommandState, NewCommand
from dispatcher.domain.errors import NotFound
from dispatcher.store.refusals import no_control, too_late, too_many_commands
from dispatcher.store.runner import Reply, Runner


class RedisCommands:
    """One hash per command, and per worker the order of those it has not acknowledged."""

    def __init__(self, runner: Runner) -> None:
        self._run = runner

    async def enqueue(self, command: NewCommand) -> Command:
        reply = await self._run.call(
            "enqueue_command",
            command_id=command.id,
            server_id=command.server_id,
            verb=command.verb,
            args=command.args,
            deadline=command.deadline_ms,
            for_ms=command.deadline_ms if command.for_ms is None else command.for_ms,
        )
        match reply.tag:
            case "not_found":
                raise NotFound(f"Server not found: {command.server_id}")
            case "no_control":
                raise no_control()
            case "too_many":
                raise too_many_commands()
            case "too_late":
                raise too_late()
        return _command(reply.values[0])

    async def pending(self, server_id: str) -> list[Command]:
        reply = await self._run.call("pending_commands", server_id=server_id)
        return [_command(fields) for fields in reply.values[0]]

    async def report(self, server_id: str, command_id: str, state: CommandState, detail: str = "") -> Command:
        reply = await self._run.call(
            "report_command", server_id=server_id, command_id=command_id, state=state, detail=detail
        )
        return _found(reply, command_id)

    async def get(self, command_id: str) -> Command:
        return _found(await self._run.call("get_command", command_id=command_id), command_id)


def _found(reply: Reply, command_id: str) -> Command:
    if reply.tag == "not_found":
        raise NotFound(f"Command not found: {command_id}")
    return _command(reply.values[0])


def _command(raw: Sequence[bytes]) -> Command:
    command_id, server_id, verb, args, state, queued, deadline, detail = (v.decode("utf-8", "replace") for v in raw)
    return Command(command_id, server_id, verb, args, CommandState(state), int(queued), int(deadline), detail)
