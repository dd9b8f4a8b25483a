"""Tasks that bring their model into memory by themselves: from their start on it has its room there."""

from dataclasses import replace

from dispatcher.domain.placement import MODELS_MOST, Placement, PlacementStatus, loadable
from dispatcher.domain.resources import NOTHING, Resources
from dispatcher.domain.server import Transport
from dispatcher.store.memory.server_rows import ServerRow, Slot
from dispatcher.store.memory.state import State
from dispatcher.store.memory.task_rows import TaskRow

IDLE_MS = 30_000  # since a task last started with a model
LOADING, LOADED, UNLOADING = PlacementStatus.LOADING, PlacementStatus.LOADED, PlacementStatus.UNLOADING


def to_load(server: ServerRow, model: str) -> bool:
    """Whether a task that works with the model would have to load it there."""
    tells = server.new.transport is Transport.SOCKET and loadable(server.new.offer.capabilities) is not None
    placement = server.models.get(model)
    return bool(model) and tells and (placement is None or placement.status not in (LOADED, LOADING))


def fits(s: State, server: ServerRow, row: TaskRow, held: Resources, gone: int) -> bool:
    """Whether the model would find room beside `held` and what the task itself needs, once `gone` models are. What is
    still in memory has to go first: it is being unloaded, or did not fit."""
    model = row.new.loads
    if not to_load(server, model):
        return True
    placement = server.models.get(model)
    if model in server.placed or (placement is not None and placement.status is UNLOADING):
        return False
    if placement is None and len(server.models) - gone >= MODELS_MOST:
        return False
    return room_for_model(server, s.sizes[model].takes if model in s.sizes else NOTHING, held + row.new.needs)


def room_for_model(server: ServerRow, takes: Resources, held: Resources) -> bool:
    """Room for a model: what it takes where that is known, else any memory at all."""
    totals = server.new.offer.resources
    if totals is None or takes:
        return totals is None or (takes + held).fits_in(totals)
    return totals.memory > held.memory or totals.gpu_memory > held.gpu_memory


def gives_way(s: State, server: ServerRow, model: str) -> bool:
    """It was brought there by tasks, and none has used it for a while."""
    placement = server.models[model]
    idle = placement.status is LOADED and not placement.assignment and model not in server.loads.values()
    return idle and s.now - server.used.get(model, 0) > IDLE_MS


def start_load(s: State, server: ServerRow, placement: Placement) -> Placement:
    """From here on it is loaded, and has its room. One of unknown size has all memory that is left until it is
    measured: nothing may be promised meanwhile that it may turn out to take."""
    takes = placement.takes or (s.sizes[placement.model].takes if placement.model in s.sizes else NOTHING)
    totals, held = server.new.offer.resources, server.held_in_all
    if not takes and totals is not None:
        left = max(totals.memory - held.memory, 0), max(totals.gpu_memory - held.gpu_memory, 0)
        takes = Resources(memory=left[0], gpu_memory=left[1])
        server.unmeasured.add(placement.model)
    if takes:
        server.placed[placement.model] = takes
    server.models[placement.model] = loading = replace(placement, status=LOADING, takes=takes)
    return loading


def load_for_tasks(s: State, server: ServerRow, model: str) -> None:
    """A task that works with the model has started there."""
    if to_load(server, model):
        known = server.models.get(model)
        server.before[model] = known
        fresh = known or Placement(model, server.id, LOADING, preload=False)
        start_load(s, server, replace(fresh, takes=NOTHING))


def begin(s: State, server: ServerRow, slot: Slot, row: TaskRow) -> None:
    """An attempt starts there."""
    if row.new.loads:
        load_for_tasks(s, server, row.new.loads)
        server.loads[slot] = row.new.loads
