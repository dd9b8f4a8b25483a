"""Models on workers: where they are, putting them there, and evening them out."""

import asyncio
import json
from collections.abc import Collection, Sequence
from contextlib import suppress

from dispatcher.domain.command import Verb
from dispatcher.domain.errors import Conflict, DispatchError, Invalid, ModelBusy, NoRunner, NotFound
from dispatcher.domain.ids import new_operation_id
from dispatcher.domain.operation import NewStep, Operation, OperationKind
from dispatcher.domain.placement import RUNNER, ModelSize, Placement, PlacementStatus, is_model, loadable
from dispatcher.domain.rebalance import Copy, Host, Move, Strategy, plan
from dispatcher.domain.server import Server
from dispatcher.service.operations import Operations
from dispatcher.service.ports import PlacementStore, ServerStore
from dispatcher.service.steps import Steps

COUNTED = (PlacementStatus.LOADED, PlacementStatus.UNLOADING)
HOLDING = (PlacementStatus.LOADED, PlacementStatus.FAILED)  # what did not fit has held what was left
REBALANCE = "rebalance"  # the guard


class Placements:
    """Loads and unloads are operations: they need workers with a control channel."""

    def __init__(self, placements: PlacementStore, servers: ServerStore, operations: Operations) -> None:
        self._placements = placements
        self._servers = servers
        self._operations = operations

    async def find(self, server_ids: Sequence[str] = (), model: str | None = None) -> list[Placement]:
        """Of these workers (none named: of all), of one model when it is given."""
        return await self._placements.find(server_ids, model)

    async def sizes(self, models: Sequence[str]) -> dict[str, ModelSize]:
        """What models took where they were loaded last: for estimates."""
        return await self._placements.sizes(models)

    async def assign(
        self, actor: str, model: str, server_ids: Sequence[str], *, preload: bool = True, priority: int = 50
    ) -> tuple[str, list[Placement]]:
        """Put a model on workers, all or none; with `preload` it is loaded now, else with its first task. Answers the
        id of the assignment, which is also that of the operation that loads it (with `preload`), and how it stands.

        Raises Invalid, NotFound, NoControl, NoRunner, and as `PlacementStore.assign`.
        """
        _check(model, server_ids)
        for server in await self._operations.controlled(server_ids):
            if RUNNER not in server.offer.kinds:
                raise NoRunner(f"Server {server.id} loads no models: it runs no tasks of the kind {RUNNER}")
            names = loadable(server.offer.capabilities)
            if names is not None and model not in names:
                raise NoRunner(f"Server {server.id} does not have the model {model}")
        assignment = new_operation_id()
        placed = await self._placements.assign(
            model, server_ids, assignment=assignment, preload=preload, priority=priority
        )
        if preload:
            args = Steps.load_args(model, priority=priority)
            steps = [NewStep(Verb.LOAD, placement.server_id, args) for placement in placed]
            try:
                await self._operations.begin(
                    OperationKind.LOAD, actor, steps, for_ms=self._operations.options.load_ms, operation_id=assignment
                )
            except DispatchError as refused:
                await self._give_up(placed, assignment, refused.message)
                raise
            placed = [p for name in server_ids for p in await self._placements.find([name], model)]
        return assignment, placed

    async def _give_up(self, placed: Sequence[Placement], assignment: str, why: str) -> None:
        """Nobody may come to load these: the workers must not wait for it."""
        for placement in placed:
            if placement.assignment == assignment:
                with suppress(DispatchError):
                    await self._placements.failed(placement.server_id, placement.model, why)

    async def unload(self, actor: str, model: str, server_ids: Sequence[str], *, force: bool = False) -> Operation:
        """Take a model out of the memory of workers, with `force` also while it is in use. Raises Invalid, NotFound
        where it is not, NoControl, ModelBusy while it is being loaded."""
        _check(model, server_ids)
        await self._operations.controlled(server_ids)
        there = {placement.server_id: placement for placement in await self._placements.find(server_ids, model)}
        missing = [server_id for server_id in server_ids if server_id not in there]
        if missing:
            raise NotFound(f"Model {model} is not on server {missing[0]}")
        for placement in there.values():
            if placement.status is PlacementStatus.LOADING:
                raise ModelBusy(f"Model {model} is being loaded on server {placement.server_id}")
        args = Steps.unload_args(model, force=force)
        steps = [NewStep(Verb.UNLOAD, server_id, args) for server_id in server_ids]
        return await self._operations.begin(
            OperationKind.UNLOAD, actor, steps, for_ms=self._operations.options.unload_ms
        )

    async def loaded(self, server_id: str, loaded: Sequence[Placement], *, busy: Collection[str] = ()) -> bool:
        """What a worker says it has in memory: models that it loaded by itself become known, lost ones are forgotten,
        those that take more or less than before hold that. What was assigned to it stays so, and is loaded
        again where it was to be preloaded. False when not all is as it should be: it has some that do not fit, which it
        was told to unload unless they are `busy`, or a load was refused."""
        refused = False
        kept = {p.model: p for p in await self._placements.find([server_id])}
        has = {told.model for told in loaded}
        gone = [placement for placement in kept.values() if placement.model not in has]
        for placement in gone:  # first, as others may have come into their room
            if placement.status in HOLDING:
                await self._placements.unloaded(server_id, placement.model)
        for told in loaded:
            if told.model not in kept or kept[told.model].status not in COUNTED or _grew(kept[told.model], told):
                why = await self._operations.steps.loaded(
                    server_id, told.model, told.takes, told.load_ms or 0, stays=told.model in busy
                )
                refused = refused or why is not None
        for placement in gone:
            if not await self._restored(placement):
                refused = True
        return not refused

    async def _restored(self, placement: Placement) -> bool:
        """A model that is not in its worker's memory, and perhaps ought to be: a crash or a cancelled task took it."""
        lost = placement.status is PlacementStatus.LOADED
        waits = placement.status is PlacementStatus.ASSIGNED and placement.preload
        if placement.assignment and (lost or waits):
            try:
                await self.assign(
                    f"server/{placement.server_id}",
                    placement.model,
                    [placement.server_id],
                    preload=placement.preload,
                    priority=placement.priority,
                )
            except Conflict:
                return False
        return True

    async def rebalance(
        self, actor: str, strategy: Strategy, *, dry_run: bool = False, force: bool = False
    ) -> tuple[Operation, list[Move]]:
        """Even the fleet out: a move loads at its target, and then unloads at its source as soon as the model is idle
        there. One that fails leaves the others be. A dry run is the plan alone.

        With `force` a running rebalance is ended first, and sources unload also what is in use: the tasks start again
        elsewhere. Raises Conflict (OPERATION_RUNNING) without.
        """
        if force and not dry_run:
            await self._operations.replace(REBALANCE, "Another rebalance was begun")
        servers, placements = await asyncio.gather(self._servers.all(), self._placements.find())
        having = {placement.server_id for placement in placements}
        hosts = [_host(server, placements) for server in servers if _can_take(server, having)]
        moves = await asyncio.to_thread(plan, strategy, hosts, _copies(servers, placements))
        steps = [step for move in moves for step in _steps_of(move, force=force)]
        operation = await self._operations.begin(
            OperationKind.REBALANCE,
            actor,
            steps,
            for_ms=self._operations.options.move_ms * max(1, len(moves)),
            guard=REBALANCE,
            sequence=True,
            dry_run=dry_run,
            note=strategy.value,
        )
        return operation, moves


def _grew(kept: Placement, told: Placement) -> bool:
    """It takes something else than is held for it, where its worker says what it takes."""
    return kept.status is PlacementStatus.LOADED and bool(told.takes) and kept.takes != told.takes


def moves_of(operation: Operation) -> list[tuple[str, str, str]]:
    """Model, source and target of each move of a rebalance."""
    pairs = zip(operation.steps[::2], operation.steps[1::2], strict=True)
    return [(json.loads(load.args)["model"], unload.server_id, load.server_id) for load, unload in pairs]


def _check(model: str, server_ids: Sequence[str]) -> None:
    if not is_model(model):
        raise Invalid("A model's name is 1 to 128 printable characters", field="model")
    if not server_ids or len(set(server_ids)) != len(server_ids):
        raise Invalid("Name at least one server, and none twice", field="servers")


def _steps_of(move: Move, *, force: bool) -> list[NewStep]:
    unload = Steps.unload_args(move.model, force=force, when_idle=not force)
    return [NewStep(Verb.LOAD, move.target, Steps.load_args(move.model)), NewStep(Verb.UNLOAD, move.source, unload)]


def _can_take(server: Server, having: Collection[str]) -> bool:
    """`having` are the workers that models are on. A confined one would serve none of the tasks that use them."""
    loads = RUNNER in server.offer.kinds or server.id in having
    return loads and server.takes_commands and server.online and not (server.maintenance or server.offer.only)


def _on_gpu(server: Server) -> bool:
    return server.offer.resources is not None and server.offer.resources.gpu_memory > 0


def _host(server: Server, placements: Sequence[Placement]) -> Host:
    """A worker as the planner sees it: models are in the memory of its GPUs where it has some."""
    totals, gpu = server.offer.resources, _on_gpu(server)
    memory = (totals.gpu_memory if gpu else totals.memory) if totals is not None else 0
    held = server.allocated.gpu_memory if gpu else server.allocated.memory
    movable = sum(p.memory for p in placements if p.server_id == server.id and p.status is PlacementStatus.LOADED)
    return Host(
        server.id,
        memory=memory,
        taken=max(0, held - movable),
        slots=server.max_concurrent,
        speed=1_000 / server.latency_ms if server.latency_ms else 1.0,
        models=loadable(server.offer.capabilities),
    )


def _copies(servers: Sequence[Server], placements: Sequence[Placement]) -> list[Copy]:
    """The loaded models; a worker's running tasks count for its models in equal parts."""
    active = {server.id: server.active for server in servers}
    loaded = [p for p in placements if p.status is PlacementStatus.LOADED]
    on = {server.id: sum(1 for p in loaded if p.server_id == server.id) for server in servers}
    return [Copy(p.model, p.server_id, p.memory, (1 + active[p.server_id]) / on[p.server_id]) for p in loaded]
