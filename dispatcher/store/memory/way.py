"""A task that finds no room has the models unloaded that only stand in its way."""

import json
from dataclasses import replace

from dispatcher.domain.command import NewCommand, Verb
from dispatcher.domain.placement import PlacementStatus
from dispatcher.domain.resources import NOTHING, Resources
from dispatcher.store.memory import commands, loads, placements, room
from dispatcher.store.memory.server_rows import ServerRow
from dispatcher.store.memory.state import State
from dispatcher.store.memory.task_rows import TaskRow

KEPT_MS, IDLE_S = 86_400_000, 300  # a worker that is not there is told later; what is in use may end so long


def make_way(s: State, server: ServerRow, row: TaskRow) -> None:
    """As many of the idle models as have to go for it, the one that was used least lately first; none, where that would
    not do."""
    staying = {model for model, one in server.models.items() if one.status is not PlacementStatus.UNLOADING}
    idle = sorted(
        (model for model in server.shown if loads.gives_way(s, server, model)),
        key=lambda model: (server.used.get(model, 0), model),
    )
    going: list[str] = []
    while not room.could_hold(s, server, row, _held(server, staying), len(going)):
        if len(going) == len(idle):
            return
        going.append(idle[len(going)])
        staying.discard(going[-1])
    for model in going:
        command_id, deadline_ms = f"way_{s.commands_kept + 1}", s.now + KEPT_MS
        args = json.dumps({"model": model, "force": False, "when_idle": True, "within_s": IDLE_S})
        if commands.keep(s, NewCommand(command_id, server.id, Verb.UNLOAD, deadline_ms, args), deadline_ms) is not None:
            server.models[model] = replace(server.models[model], status=PlacementStatus.UNLOADING)
            placements.show(s, server)


def _held(server: ServerRow, models: set[str]) -> Resources:
    """By the attempts, and by these models."""
    placed = (takes for model, takes in server.placed.items() if model in models)
    return sum(server.held.values(), sum(placed, NOTHING))
