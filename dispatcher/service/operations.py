"""Restarts, loads, unloads and rebalances: begun by a request, driven to their end by any gateway."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from dispatcher.domain.command import Command, Verb
from dispatcher.domain.errors import Conflict, DispatchError, NoControl, NotFound, OperationRunning, Unavailable
from dispatcher.domain.ids import is_id, new_operation_id
from dispatcher.domain.operation import (
    NewOperation,
    NewStep,
    Operation,
    OperationKind,
    StepState,
    operation_of,
    place_of,
)
from dispatcher.domain.server import Server
from dispatcher.service.background import where
from dispatcher.service.commands import Commands
from dispatcher.service.ports import OperationStore, ServerStore
from dispatcher.service.steps import Steps

log = logging.getLogger(__name__)

LEASE_MS = 10_000
RESTART = "restart:"  # begins the guard of a restart, before the id of its worker


@dataclass(frozen=True, slots=True)
class OperationOptions:
    """How long each kind may take, milliseconds, before it fails; `drain_s` is what a restarting worker has to finish
    its tasks."""

    restart_ms: int = 300_000
    load_ms: int = 1_800_000
    unload_ms: int = 300_000
    move_ms: int = 3_600_000  # each move of a rebalance: half of it to load, half to unload
    drain_s: int = 30


class Operations:
    """Nothing of an operation is in a gateway's memory: its steps are looked at when a worker reports the end of a
    command, and each second by the gateway that holds its lease."""

    def __init__(
        self,
        operations: OperationStore,
        servers: ServerStore,
        commands: Commands,
        steps: Steps,
        *,
        gateway: str,
        options: OperationOptions | None = None,
    ) -> None:
        self._operations = operations
        self._servers = servers
        self.steps = steps
        self._gateway = gateway
        self.options = options or OperationOptions()
        commands.on_end(self._command_ended)

    async def get(self, operation_id: str) -> Operation:
        """Raises NotFound."""
        if not is_id(operation_id):
            raise NotFound(f"Operation not found: {operation_id[:80]}")
        return await self._operations.get(operation_id)

    async def recent(self, limit: int = 50) -> list[Operation]:
        """Newest first."""
        return await self._operations.recent(limit)

    async def running(self, guard: str) -> Operation | None:
        """The running operation that holds a guard, as `restart:<server>` or `rebalance`."""
        return await self._operations.guarded(guard)

    async def restarting(self) -> set[str]:
        """The workers that are restarted now."""
        return {guard.removeprefix(RESTART) for guard in await self._operations.guards() if guard.startswith(RESTART)}

    async def restart(self, actor: str, server_id: str) -> Operation:
        """Have a worker finish its tasks, stop, and be started again by its supervisor. It is done when the worker
        says hello with another boot id. Raises NotFound, NoControl, Conflict (OPERATION_RUNNING)."""
        if is_id(server_id) and (under_way := await self.running(RESTART + server_id)) is not None:
            raise OperationRunning(f"Another operation is running there: {under_way.id}")  # its connection may be down
        [server] = await self.controlled([server_id])
        args = self.steps.restart_args(server, self.options.drain_s)
        return await self.begin(
            OperationKind.RESTART,
            actor,
            [NewStep(Verb.RESTART, server_id, args)],
            for_ms=self.options.restart_ms,
            guard=RESTART + server_id,
        )

    async def controlled(self, server_ids: Sequence[str]) -> list[Server]:
        """These workers, each with a control channel. Raises NotFound, NoControl."""
        found = []
        for server_id in server_ids:
            if not is_id(server_id):
                raise NotFound(f"Server not found: {server_id[:80]}")
            server = await self._servers.get(server_id)
            if not server.takes_commands or not server.online:
                raise NoControl("This worker keeps no control channel, or its connection is down")
            found.append(server)
        return found

    async def begin(
        self,
        kind: OperationKind,
        actor: str,
        steps: Sequence[NewStep],
        *,
        for_ms: int,
        operation_id: str | None = None,
        guard: str = "",
        sequence: bool = False,
        dry_run: bool = False,
        note: str = "",
    ) -> Operation:
        """Keep an operation that may take `for_ms` and make its first steps. Raises as `OperationStore.create`."""
        new = NewOperation(
            operation_id or new_operation_id(), kind, actor, tuple(steps), for_ms, guard, sequence, dry_run, note
        )
        return await self._drive(await self._operations.create(new))

    async def replace(self, guard: str, why: str) -> None:
        """End the running operation that holds a guard, if there is one; what its workers do now they finish."""
        running = await self._operations.guarded(guard)
        if running is not None:
            await self._operations.fail(running.id, why)

    async def run_once(self) -> int:
        """Look at the operations that this gateway drives, or takes over; answers how many."""
        leased = await self._operations.lease(self._gateway, LEASE_MS)
        for operation in leased:
            try:
                await self._drive(operation)
            except Unavailable:
                raise
            except Exception as error:  # noqa: BLE001 - the others go on; its deadline ends this one
                log.error("operation %s: %s", operation.id, where(error))
        return len(leased)

    async def _command_ended(self, command: Command) -> None:
        await self.steps.settle(command)
        try:
            operation = await self._operations.get(operation_of(command.id))
        except NotFound:
            return  # a command of no operation, or of one that was forgotten
        if _is_left(operation, command):
            await self.steps.take_back(operation, place_of(command.id))
        await self._drive(operation)

    async def _drive(self, operation: Operation) -> Operation:
        """Make all steps that can be made now."""
        while True:
            before = operation
            for place in list(operation.due()):
                operation = await self._step(operation, place)
            if operation == before:
                return operation

    async def _step(self, operation: Operation, place: int) -> Operation:
        try:
            state, error = await self.steps.look(operation, place)
        except Unavailable:
            raise
        except (Conflict, NotFound) as refused:
            state, error = StepState.FAILED, refused.message
        except DispatchError:
            return operation  # the next round tries again
        failed_move = operation.kind is OperationKind.REBALANCE and state is StepState.FAILED
        if failed_move and operation.steps[place].verb == Verb.UNLOAD:
            after = await self.steps.take_back(operation, place)
            error += f"; {after}" if after else ""
        return await self._operations.advance(operation.id, place, state, error)


def _is_left(operation: Operation, command: Command) -> bool:
    """Whether a command was of a move that nobody goes on with: its load was done too late, or its unload was not."""
    step = operation.steps[place_of(command.id)]
    if operation.kind is not OperationKind.REBALANCE or step.state is StepState.DONE:
        return False
    return operation.state.ended or (command.verb == Verb.LOAD and step.state is StepState.FAILED)
