"""What the steps of operations do. Each look compares what is with what should be, and may be repeated at any time."""

import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

from dispatcher.domain.command import Command, CommandState, NewCommand, Verb
from dispatcher.domain.errors import Conflict, Invalid, NoRoom, NotFound
from dispatcher.domain.ids import new_operation_id
from dispatcher.domain.operation import Operation, OperationKind, Step, StepState, command_id
from dispatcher.domain.placement import LONGEST_LOAD_MS, NO_ROOM, PlacementStatus
from dispatcher.domain.resources import Resources
from dispatcher.domain.server import Server
from dispatcher.service.commands import Commands
from dispatcher.service.ports import PlacementStore, ServerStore

Looked = tuple[StepState, str]

RUNNING: Looked = (StepState.RUNNING, "")
DONE: Looked = (StepState.DONE, "")
MARGIN_MS = 30_000  # so that a command's expiry is seen while the operation runs
IDLE_MS, FAR_MS = 300_000, 1 << 52  # for a model to be idle that is to go whatever becomes of it
KEPT_MS = 86_400_000  # such a command waits for a worker that is not there
LATE = "The worker did not do it in time"
RESTARTED = "The worker restarted"
NOT_LOADED = "The model stays here: it was not loaded at the target"


class Steps:
    """Restarting a worker, loading a model, unloading one."""

    def __init__(self, servers: ServerStore, placements: PlacementStore, commands: Commands) -> None:
        self._servers = servers
        self._placements = placements
        self._commands = commands

    async def look(self, operation: Operation, place: int) -> Looked:
        """How far a step is, after doing what can be done for it now. Raises Conflict or NotFound where it cannot be
        done."""
        step = operation.steps[place]
        match step.verb:
            case Verb.RESTART:
                return await self._restart(operation, place, step)
            case Verb.LOAD:
                return await self._load(operation, place, step)
            case Verb.UNLOAD:
                return await self._unload(operation, place, step)
        raise NotFound(f"No worker knows {step.verb}")

    @staticmethod
    def restart_args(server: Server, drain_s: int) -> str:
        """The boot id that is to change, empty while the worker has told none; and how long running tasks may go on."""
        return json.dumps({"drain_s": drain_s, "boot_id": server.boot_id})

    @staticmethod
    def load_args(model: str, *, priority: int = 50) -> str:
        return json.dumps({"model": model, "priority": priority})

    @staticmethod
    def unload_args(model: str, *, force: bool = False, when_idle: bool = False) -> str:
        """`force` unloads also what is in use; with `when_idle` it is waited for, else refused."""
        return json.dumps({"model": model, "force": force, "when_idle": when_idle})

    async def _restart(self, operation: Operation, place: int, step: Step) -> Looked:
        server = await self._servers.get(step.server_id)
        if not server.boot_id:
            return RUNNING  # its next heartbeat tells which start is to end
        args = json.loads(step.args)
        args["boot_id"] = args["boot_id"] or server.boot_id
        command = await self._command(operation, place, replace(step, args=json.dumps(args)))
        if server.online and server.boot_id != json.loads(command.args)["boot_id"]:
            return DONE
        if command.state is CommandState.DONE:
            return RUNNING  # it goes down now, and comes back with another boot id
        return _failure(command) or RUNNING

    async def _load(self, operation: Operation, place: int, step: Step) -> Looked:
        args = json.loads(step.args)
        model = args["model"]
        if operation.kind is OperationKind.REBALANCE and step.state is StepState.WAITING:
            await self._placements.assign(
                model, [step.server_id], assignment=operation.id, preload=True, priority=args["priority"]
            )
        found = await self._placements.find([step.server_id], model)
        if not found:
            raise NotFound(f"Model {model} is no longer assigned to this worker")
        placement = found[0]
        if placement.status is PlacementStatus.QUEUED:
            if operation.now_ms >= operation.over_ms(place) - MARGIN_MS:  # the next step must have its time too
                placement = await self._placements.failed(step.server_id, model, LATE)
            else:
                placement = await self._placements.begin_load(step.server_id, model)
        match placement.status:
            case PlacementStatus.LOADED:
                return DONE
            case PlacementStatus.FAILED:
                return StepState.FAILED, placement.error
            case PlacementStatus.LOADING:
                return await self._at_work(operation, place, step)
            case PlacementStatus.ASSIGNED:  # what it was loading went with its memory
                return StepState.FAILED, RESTARTED
        return RUNNING  # not its turn, or no room now

    async def _unload(self, operation: Operation, place: int, step: Step) -> Looked:
        model = json.loads(step.args)["model"]
        if operation.kind is OperationKind.REBALANCE and operation.steps[place - 1].state is StepState.FAILED:
            return StepState.FAILED, NOT_LOADED
        if not await self._placements.find([step.server_id], model):
            return DONE
        if await self._placements.begin_unload(step.server_id, model) is None:
            return DONE
        return await self._at_work(operation, place, step)

    async def _at_work(self, operation: Operation, place: int, step: Step) -> Looked:
        """Have the worker load or unload the model of a step."""
        try:
            command = await self._command(operation, place, step)
        except (Conflict, NotFound) as refused:
            await self._placements.failed(step.server_id, json.loads(step.args)["model"], refused.message)
            raise
        why = await self.settle(command)
        if why is not None:
            return StepState.FAILED, why
        return DONE if command.state is CommandState.DONE else _failure(command) or RUNNING

    async def settle(self, command: Command) -> str | None:
        """What the end of a command says of a model, whatever became of the operation that sent it. Answers why a
        model that was loaded is not kept."""
        if not command.state.ended or command.verb not in (Verb.LOAD, Verb.UNLOAD):
            return None
        server_id, model = command.server_id, json.loads(command.args)["model"]
        failure = _failure(command)
        with suppress(NotFound):  # unregistered, or forgotten meanwhile
            if failure is not None:
                await self._placements.failed(server_id, model, failure[1])
            elif command.verb == Verb.UNLOAD:
                await self._placements.unloaded(server_id, model)
            else:
                told = _object(command.detail)
                takes = Resources(memory=_amount(told, "memory_bytes"), gpu_memory=_amount(told, "gpu_memory_bytes"))
                return await self.loaded(server_id, model, takes, _amount(told, "load_ms", LONGEST_LOAD_MS))
        return None

    async def loaded(
        self, server_id: str, model: str, takes: Resources, load_ms: int, *, stays: bool = False
    ) -> str | None:
        """A model is in a worker's memory. One that does not fit is sent away, unless it `stays` for now; answers why.
        Raises as `PlacementStore.loaded` otherwise."""
        try:
            await self._placements.loaded(server_id, model, takes, load_ms)
        except NoRoom:
            if not stays:
                await self.send_away(server_id, model)
            return NO_ROOM
        return None

    async def send_away(self, server_id: str, model: str) -> None:
        """Have a worker unload a model when nothing uses it any more, whatever becomes of it."""
        with suppress(Conflict):  # too many commands wait there
            await self._when_idle(f"{new_operation_id()}-0", server_id, model)

    async def take_back(self, operation: Operation, place: int) -> str:
        """The move of a rebalance that a step belongs to has failed: there must not be more copies of its model than
        before. Answers what becomes of the one at its target; empty where there is none of its making."""
        load, unload = operation.steps[place - place % 2], operation.steps[place - place % 2 + 1]
        model = json.loads(load.args)["model"]
        copies = [p for p in await self._placements.find([load.server_id], model) if p.assignment == operation.id]
        if not copies or copies[0].status is not PlacementStatus.LOADED:
            return ""
        if not await self._has(unload.server_id, model):
            return f"the copy on {load.server_id} stays: tasks do not find it on {unload.server_id}"
        try:
            if await self._placements.begin_unload(load.server_id, model) is not None:
                await self._when_idle(f"{operation.id}-{place}-back", load.server_id, model)
        except (Conflict, NotFound) as refused:
            with suppress(NotFound):
                await self._placements.failed(load.server_id, model, refused.message)
            return f"the copy on {load.server_id} stays: {refused.message}"
        return f"the copy on {load.server_id} is unloaded again"

    async def _has(self, server_id: str, model: str) -> bool:
        """Whether tasks find the model on this worker."""
        try:
            server = await self._servers.get(server_id)
        except NotFound:
            return False
        return server.online and model in server.models

    async def _when_idle(self, name: str, server_id: str, model: str) -> None:
        args = json.dumps({"model": model, "force": False, "when_idle": True, "within_s": IDLE_MS // 1000})
        command = await self._commands.send(NewCommand(name, server_id, Verb.UNLOAD, FAR_MS, args, for_ms=KEPT_MS))
        await self.settle(command)  # it may have come to its end before

    async def _command(self, operation: Operation, place: int, step: Step) -> Command:
        """The step's command, sent now if it was not yet. It is given up when the step's part of the operation's time
        is over, and before the operation is."""
        name, deadline_ms = command_id(operation.id, place), operation.over_ms(place) - MARGIN_MS
        for_ms, args = operation.part_ms - MARGIN_MS, json.loads(step.args)
        if args.get("when_idle"):
            args["within_s"] = max(for_ms - MARGIN_MS, 0) // 1000  # it says so itself before it is given up
        new = NewCommand(name, step.server_id, step.verb, deadline_ms, json.dumps(args), for_ms)
        try:
            return await self._commands.send(new)
        except Invalid:  # the operation is over its time
            raise NotFound(LATE) from None


def _failure(command: Command) -> Looked | None:
    if command.state is CommandState.FAILED:
        return StepState.FAILED, command.detail or "The worker could not do it"
    if command.state is CommandState.EXPIRED:
        return StepState.FAILED, LATE
    return None


def _object(text: str) -> dict[str, Any]:
    try:
        told = json.loads(text or "{}")
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _amount(told: dict[str, Any], name: str, most: int = (1 << 53) - 1) -> int:
    """A whole number that a worker told; 0 for what is none."""
    value = told.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most else 0
