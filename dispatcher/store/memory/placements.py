"""Models on workers in dicts."""

from collections.abc import Sequence
from dataclasses import replace

from dispatcher.domain.placement import MODELS_MOST, NO_ROOM, ModelSize, Placement, PlacementStatus
from dispatcher.domain.resources import NOTHING, Resources
from dispatcher.store.memory import loads
from dispatcher.store.memory.room import fits_now
from dispatcher.store.memory.server_rows import ServerRow
from dispatcher.store.memory.state import State
from dispatcher.store.refusals import model_busy, no_room, not_placed, too_many_models

ASSIGNED, QUEUED, LOADING, LOADED, UNLOADING, FAILED = PlacementStatus
IN_MEMORY = (LOADED, LOADING)


def forget_loaded(s: State, server: ServerRow) -> None:
    """It started anew, or left: nothing is in its memory. What was assigned to it may be loaded again, what it loaded
    for its tasks is forgotten; a load on command that was under way has failed: it may be what brought it down."""
    for model, placement in list(server.models.items()):
        if model in server.before:
            server.undo_load(model)
            continue
        takes = NOTHING if model in server.unmeasured else placement.takes
        server.release(model)
        if placement.status is LOADING:
            server.models[model] = replace(placement, status=FAILED, takes=takes, error="The worker restarted")
        elif placement.status in (LOADED, UNLOADING) and placement.assignment:
            server.models[model] = replace(placement, status=ASSIGNED)
        elif placement.status in (LOADED, UNLOADING):
            del server.models[model]
            server.used.pop(model, None)
    show(s, server)


def show(s: State, server: ServerRow) -> None:
    """The models in memory are part of what gateways know of a server."""
    loaded = frozenset(model for model, placement in server.models.items() if placement.status is LOADED)
    if loaded != server.shown:
        server.shown = loaded
        s.epoch += 1


def give_up_loads(s: State, assignment: str, error: str) -> None:
    """Loads that nobody drives any more: one left queued or loading would hold up all others of its worker."""
    for server in s.servers.values():
        for model, placement in server.models.items():
            if placement.assignment != assignment or placement.status not in (QUEUED, LOADING):
                continue
            if model in server.before:
                _note_failure(server, placement, error)
            else:
                takes = NOTHING if model in server.unmeasured else placement.takes
                server.models[model] = replace(placement, status=FAILED, takes=takes, error=error)
                server.release(model)
            s.hub.event("model", {"id": server.id, "model": model, "state": "failed"})


def _note_failure(server: ServerRow, placement: Placement, error: str) -> None:
    """A task goes on loading it: that it failed on command counts when that does not help."""
    before = server.before[placement.model] or placement
    server.before[placement.model] = replace(before, status=FAILED, error=error)
    server.models[placement.model] = replace(placement, error=error)


def _left_of(server: ServerRow, takes: Resources) -> Resources:
    """As much of it as the server has left."""
    totals, held = server.new.offer.resources, server.held_in_all
    return takes if totals is None else takes.up_to(totals, held)


class MemoryPlacements:
    """Implements `PlacementStore`. A worker's dict keeps its models in the order in which they were put there."""

    def __init__(self, state: State) -> None:
        self._s = state

    async def assign(
        self, model: str, server_ids: Sequence[str], *, assignment: str, preload: bool, priority: int
    ) -> list[Placement]:
        servers = [self._s.server(server_id) for server_id in server_ids]
        takes = self._s.sizes[model].takes if model in self._s.sizes else NOTHING
        for server in servers:
            self._check(server, model, takes)
        for server in servers:
            old = server.models.get(model)
            stays = old is not None and (old.status in IN_MEMORY or (old.status is QUEUED and not preload))
            if old is not None and stays and not old.assignment:  # loaded for a task; from now on it is kept
                kept = replace(old, assignment=assignment, preload=preload, priority=priority)
                server.models[model] = kept
                if model in server.before:
                    status = QUEUED if preload else ASSIGNED
                    server.before[model] = replace(kept, status=status, takes=takes)
            elif not stays:
                server.models.pop(model, None)
                status = QUEUED if preload else ASSIGNED
                self._keep(server, Placement(model, server.id, status, assignment, preload, priority, takes))
        return [self._view(server, server.models[model]) for server in servers]

    @staticmethod
    def _check(server: ServerRow, model: str, takes: Resources) -> None:
        old = server.models.get(model)
        if old is not None and old.status is UNLOADING:
            raise model_busy(model, server.id)
        if old is None and len(server.models) >= MODELS_MOST:
            raise too_many_models(server.id)
        full = not loads.room_for_model(server, takes, server.held_soon)
        if (old is None or old.status not in IN_MEMORY) and full:
            raise no_room(model, server.id)

    async def begin_load(self, server_id: str, model: str) -> Placement:
        server, placement = self._placed(server_id, model)
        others = server.models.values()
        room = loads.room_for_model(server, placement.takes, server.held_in_all)
        if any(p.status is LOADING for p in others) or not room:
            return self._view(server, placement)
        queue = sorted((p for p in others if p.status is QUEUED), key=lambda p: -p.priority)  # stable: then by age
        if placement.status is QUEUED and queue[0] is placement:
            placement = loads.start_load(self._s, server, placement)
        return self._view(server, placement)

    async def loaded(self, server_id: str, model: str, takes: Resources, load_ms: int) -> Placement:
        server = self._s.server(server_id)
        old = server.models.get(model)
        if old is None and len(server.models) >= MODELS_MOST:
            raise too_many_models(server_id)
        base = old or Placement(model, server_id, LOADED, preload=False)
        counted = old is not None and old.status in (LOADED, UNLOADING)
        if not counted:
            server.release(model)
        fits = counted or fits_now(server, takes)
        status, error = (LOADED, "") if fits else (FAILED, NO_ROOM)
        server.before.pop(model, None)
        new = self._keep(server, replace(base, status=status, takes=takes, load_ms=load_ms, error=error))
        if not server.new.offer.only:  # what a confined worker says counts for itself alone
            self._s.sizes[model] = ModelSize(takes, load_ms)
        if old is None or old.status is not status:
            self._tell(server_id, model, status.value)
        if not fits:
            server.placed[model] = _left_of(server, takes)
            raise no_room(model, server_id)
        server.placed[model] = takes
        return self._view(server, new)

    async def failed(self, server_id: str, model: str, error: str) -> Placement:
        server, placement = self._placed(server_id, model)
        after = {QUEUED: FAILED, LOADING: FAILED, UNLOADING: LOADED}.get(placement.status)
        if model in server.before:
            _note_failure(server, placement, error)
            placement = server.models[model]
        elif after is not None:
            if placement.status is LOADING:
                if model in server.unmeasured:
                    placement = replace(placement, takes=NOTHING)
                server.release(model)
            placement = self._keep(server, replace(placement, status=after, error=error))
            if after is FAILED:
                self._tell(server_id, model, "failed")
        return self._view(server, placement)

    async def begin_unload(self, server_id: str, model: str) -> Placement | None:
        server, placement = self._placed(server_id, model)
        if placement.status is LOADING:
            raise model_busy(model, server_id)
        if placement.status not in (LOADED, UNLOADING):
            self._drop(server, model)
            return None
        return self._view(server, self._keep(server, replace(placement, status=UNLOADING)))

    async def unloaded(self, server_id: str, model: str) -> None:
        server, placement = self._placed(server_id, model)
        if placement.status is LOADING:
            return
        server.release(model)
        if placement.status is FAILED:
            self._s.hub.wake(self._s.now)
            return
        self._drop(server, model)
        if model in server.loads.values():  # a task that has started meanwhile loads it again
            loads.load_for_tasks(self._s, server, model)
        self._tell(server_id, model, "unloaded")
        self._s.hub.wake(self._s.now)

    async def find(self, server_ids: Sequence[str] = (), model: str | None = None) -> list[Placement]:
        every = sorted(self._s.servers.values(), key=lambda v: v.seq)
        named = [self._s.servers[name] for name in server_ids if name in self._s.servers] if server_ids else every
        return [
            self._view(server, server.models[name])
            for server in named
            for name in sorted(server.models)
            if model in (None, name)
        ]

    async def sizes(self, models: Sequence[str]) -> dict[str, ModelSize]:
        return {model: self._s.sizes[model] for model in models if model in self._s.sizes}

    def _placed(self, server_id: str, model: str) -> tuple[ServerRow, Placement]:
        server = self._s.servers.get(server_id)
        placement = server.models.get(model) if server is not None else None
        if server is None or placement is None:
            raise not_placed(model, server_id)
        return server, placement

    def _keep(self, server: ServerRow, placement: Placement) -> Placement:
        server.models[placement.model] = placement
        show(self._s, server)
        return placement

    def _drop(self, server: ServerRow, model: str) -> None:
        del server.models[model]
        server.release(model)
        server.used.pop(model, None)
        show(self._s, server)

    @staticmethod
    def _view(server: ServerRow, placement: Placement) -> Placement:
        return replace(placement, last_used_ms=server.used.get(placement.model))

    def _tell(self, server_id: str, model: str, state: str) -> None:
        self._s.hub.event("model", {"id": server_id, "model": model, "state": state})
