"""Models on workers in dicts."""

from collections.abc import Sequence
from dataclasses import replace

from dispatcher.domain.placement import MODELS_MOST, NO_ROOM, ModelSize, Placement, PlacementStatus
from dispatcher.domain.resources import NOTHING, Resources
from dispatcher.store.memory.room import fits_now
from dispatcher.store.memory.rows import ServerRow
from dispatcher.store.memory.state import State
from dispatcher.store.refusals import model_busy, no_room, not_placed, too_many_models

ASSIGNED, QUEUED, LOADING, LOADED, UNLOADING, FAILED = PlacementStatus
IN_MEMORY = (LOADED, LOADING)


def forget_loaded(s: State, server: ServerRow) -> None:
    """It started anew: nothing is in its memory. What was there may be loaded again; a load that was under way has
    failed: it may be what brought the worker down."""
    for model, placement in server.models.items():
        if placement.status is LOADING:
            server.models[model] = replace(placement, status=FAILED, error="The worker restarted")
            server.placed.pop(model, None)
        elif placement.status in (LOADED, UNLOADING):
            server.models[model] = replace(placement, status=ASSIGNED)
            server.placed.pop(model, None)
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
            if placement.assignment == assignment and placement.status in (QUEUED, LOADING):
                server.models[model] = replace(placement, status=FAILED, error=error)
                server.placed.pop(model, None)
                s.hub.event("model", {"id": server.id, "model": model, "state": "failed"})


def _has_room(server: ServerRow, takes: Resources) -> bool:
    """Room for a model: what it takes where that is known, else any memory at all."""
    totals, held = server.new.offer.resources, server.held_in_all
    if takes or totals is None:
        return fits_now(server, takes)
    return totals.memory > held.memory or totals.gpu_memory > held.gpu_memory


class MemoryPlacements:
    """Implements `PlacementStore`. A worker's dict keeps its models in the order in which they were put there."""

    def __init__(self, state: State) -> None:
        self._s = state
        self._sizes: dict[str, ModelSize] = {}

    async def assign(
        self, model: str, server_ids: Sequence[str], *, assignment: str, preload: bool, priority: int
    ) -> list[Placement]:
        servers = [self._s.server(server_id) for server_id in server_ids]
        takes = self._sizes[model].takes if model in self._sizes else NOTHING
        for server in servers:
            self._check(server, model, takes)
        for server in servers:
            old = server.models.get(model)
            if old is None or not (old.status in IN_MEMORY or (old.status is QUEUED and not preload)):
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
        if (old is None or old.status not in IN_MEMORY) and not _has_room(server, takes):
            raise no_room(model, server.id)

    async def begin_load(self, server_id: str, model: str) -> Placement:
        server, placement = self._placed(server_id, model)
        others = server.models.values()
        if any(p.status is LOADING for p in others) or not _has_room(server, placement.takes):
            return self._view(server, placement)
        queue = sorted((p for p in others if p.status is QUEUED), key=lambda p: -p.priority)  # stable: then by age
        if placement.status is QUEUED and queue[0] is placement:
            placement = self._keep(server, replace(placement, status=LOADING))
            self._hold(server, model, placement.takes)
        return self._view(server, placement)

    async def loaded(self, server_id: str, model: str, takes: Resources, load_ms: int) -> Placement:
        server = self._s.server(server_id)
        old = server.models.get(model)
        if old is None and len(server.models) >= MODELS_MOST:
            raise too_many_models(server_id)
        base = old or Placement(model, server_id, LOADED, preload=False)
        counted = old is not None and old.status in (LOADED, UNLOADING)
        if not counted:
            server.placed.pop(model, None)
        fits = counted or fits_now(server, takes)
        status, error = (LOADED, "") if fits else (FAILED, NO_ROOM)
        new = self._keep(server, replace(base, status=status, takes=takes, load_ms=load_ms, error=error))
        self._sizes[model] = ModelSize(takes, load_ms)
        if old is None or old.status is not status:
            self._tell(server_id, model, status.value)
        if not fits:
            raise no_room(model, server_id)
        self._hold(server, model, takes)
        return self._view(server, new)

    async def failed(self, server_id: str, model: str, error: str) -> Placement:
        server, placement = self._placed(server_id, model)
        after = {QUEUED: FAILED, LOADING: FAILED, UNLOADING: LOADED}.get(placement.status)
        if after is not None:
            if placement.status is LOADING:
                server.placed.pop(model, None)
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
        if placement.status is FAILED:
            return
        self._drop(server, model)
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
        return {model: self._sizes[model] for model in models if model in self._sizes}

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
        server.placed.pop(model, None)
        server.used.pop(model, None)
        show(self._s, server)

    @staticmethod
    def _hold(server: ServerRow, model: str, takes: Resources) -> None:
        server.placed[model] = takes

    @staticmethod
    def _view(server: ServerRow, placement: Placement) -> Placement:
        return replace(placement, last_used_ms=server.used.get(placement.model))

    def _tell(self, server_id: str, model: str, state: str) -> None:
        self._s.hub.event("model", {"id": server_id, "model": model, "state": state})
