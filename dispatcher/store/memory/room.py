"""Room for tasks with needs, and the server that is kept for one that has waited long for it."""

from dispatcher.domain.lane import fits
from dispatcher.domain.placement import PlacementStatus
from dispatcher.domain.resources import NOTHING, Resources
from dispatcher.domain.transitions import TaskState
from dispatcher.store.memory import loads
from dispatcher.store.memory.server_rows import ServerRow
from dispatcher.store.memory.state import State
from dispatcher.store.memory.task_rows import TaskRow

RESERVE_AFTER_MS = 30_000  # since the task was first passed by for want of room


def has_room(s: State, server: ServerRow, row: TaskRow) -> bool:
    """Whether it could start the task now: enough of everything, and not kept for another one."""
    if not row.new.needs and not loads.to_load(server, row.new.loads):
        return True
    return could_hold(s, server, row, server.held_in_all) and reserved_for(s, server) in (None, row)


def reserved_for(s: State, server: ServerRow) -> TaskRow | None:
    """The task that it is kept for, while that waits and the server could run it."""
    row = s.tasks.get(server.reserved)
    if row is None or not server.serving or server.ejected_until_ms:
        return None
    if row.state is not TaskState.PENDING or row.reserves != server.id or not fits(row.new.demand, server.new.offer):
        return None
    return row if could_hold(s, server, row, _held_at_best(s, server)) else None


def reserved_that_fits(s: State, server: ServerRow) -> TaskRow | None:
    """The same once there is room for it: it goes before the order of the queue."""
    row = reserved_for(s, server)
    return row if row is not None and has_room(s, server, row) else None


def passed_by(s: State, row: TaskRow) -> None:
    """It found no room."""
    if row.short_since_ms is None:
        row.short_since_ms = s.now


def reserve(s: State, server: ServerRow, row: TaskRow) -> None:
    """A head found no room here. The first that has waited too long for it keeps the server, one server a task."""
    passed_by(s, row)
    since_ms = s.now if row.short_since_ms is None else row.short_since_ms
    if s.now - since_ms <= RESERVE_AFTER_MS or reserved_for(s, server) is not None:
        return
    other = s.servers.get(row.reserves)
    if other is not None and reserved_for(s, other) is row:
        return
    server.reserved, row.reserves = row.id, server.id  # void where it could never hold the task


def _held_at_best(s: State, server: ServerRow) -> Resources:
    """What is held once its attempts have ended, and the models that give way are gone."""
    stay = (model for model in server.placed if not _goes(s, server, model))
    return sum((server.placed[model] for model in stay), NOTHING)


def _goes(s: State, server: ServerRow, model: str) -> bool:
    return server.models[model].status is PlacementStatus.UNLOADING or loads.gives_way(s, server, model)


def could_hold(s: State, server: ServerRow, row: TaskRow, held: Resources, gone: int = 0) -> bool:
    """Whether there is room beside this for what the task needs, and for the model that it loads."""
    return _fits(server, row.new.needs, held) and loads.fits(s, server, row, held, gone)


def fits_now(server: ServerRow, amounts: Resources) -> bool:
    """Whether there is so much left of it."""
    return not amounts or _fits(server, amounts, server.held_in_all)


def _fits(server: ServerRow, needs: Resources, held: Resources) -> bool:
    totals = server.new.offer.resources
    return totals is None or (needs + held).fits_in(totals)
