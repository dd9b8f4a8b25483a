"""Gangs: the ranks of one attempt, each on a worker of its own that waits on an open connection."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dispatcher.domain.failure import Outcome, Verdict
from dispatcher.domain.transitions import TaskState
from dispatcher.store.memory import loads, room
from dispatcher.store.memory.server_rows import ServerRow
from dispatcher.store.memory.state import State
from dispatcher.store.memory.task_rows import RankRow, TaskRow

LOOKED_AT = 256  # waiting workers of a class


@dataclass(frozen=True, slots=True)
class Head:
    """The next task for a server; of a gang with the workers for its ranks from 1 on."""

    row: TaskRow
    peers: tuple[ServerRow, ...] = ()


def is_gang(row: TaskRow) -> bool:
    return row.new.demand.gang > 1


def gathering(s: State, fitting: Callable[[TaskRow], Sequence[ServerRow]]) -> TaskRow | None:
    """The gang that gathers, while it waits and there are workers enough for it."""
    row = s.tasks.get(s.gathering) if s.gathering is not None else None
    if row is None or row.state is not TaskState.PENDING or not _could_start(row, fitting(row)):
        s.gathering = None
        return None
    return row


def head_of(s: State, row: TaskRow, server: ServerRow, fitting: Sequence[ServerRow]) -> Head | None:
    """The gang as a head for this waiting worker; None, and passed over, when too few of the others that fit wait."""
    if row.right_until_ms > s.now:
        return None
    found = _peers(s, row, server, fitting) if room.has_room(s, server, row) else None
    if found is not None:
        return Head(row, found)
    if row.passed_ms is None:
        row.passed_ms = s.now
    if s.now - row.passed_ms >= s.options.gather_ms and s.gathering is None and _could_start(row, fitting):
        s.gathering = row.id
    return None


def start(s: State, row: TaskRow, server: ServerRow, peers: Sequence[ServerRow]) -> None:
    """Reserve the further ranks; their workers find them when they ask, within `offer_ms`."""
    row.passed_ms = None
    if s.gathering == row.id:
        s.gathering = None
    row.ranks = [RankRow(one.id) for one in (server, *peers)]
    row.ranked |= {rank.server_id for rank in row.ranks}
    for rank, peer in enumerate(peers, 1):
        peer.slots[row.id, row.fence] = s.now + s.options.offer_ms
        if row.new.needs:
            peer.held[row.id, row.fence] = row.new.needs
        loads.begin(s, peer, (row.id, row.fence), row)
        peer.use(row.new.model, s.now)
        peer.handed = ((row.id, row.fence), rank)
        peer.wants_since_ms = None
        s.hub.event("server", {"id": peer.id, "state": "handed"})


def take(s: State, server: ServerRow) -> tuple[TaskRow, int] | None:
    """The rank that the claim of another reserved for this worker, once."""
    handed, server.handed = server.handed, None
    if handed is None:
        return None
    slot, rank = handed
    row = s.tasks.get(slot[0])
    return (row, rank) if row is not None and row.fence == slot[1] and slot in server.slots else None


def leave(s: State, row: TaskRow) -> None:
    """The attempt is over: what was never told to a worker is free again, the rest when the workers have stopped."""
    for rank in row.ranks:
        server = s.servers.get(rank.server_id)
        if server is not None and server.handed is not None and server.handed[0] == (row.id, row.fence):
            server.handed = None
            server.drop((row.id, row.fence))


def rank_of(row: TaskRow, server_id: str) -> int | None:
    """The rank that a worker has, or had before it reported its end."""
    return next((n for n, rank in enumerate(row.ranks) if rank.server_id == server_id), None)


def has_ended(row: TaskRow, server_id: str) -> bool:
    """Whether this worker's rank has reported its end: what it still holds is no part of the attempt."""
    return any(rank.server_id == server_id and rank.end is not None for rank in row.ranks)


def progress(row: TaskRow, rank: int, percent: float) -> float:
    """How far the whole gang is, now that this rank is so far: the mean over the ranks."""
    row.ranks[rank].progress = max(row.ranks[rank].progress, percent)
    return sum(one.progress for one in row.ranks) / len(row.ranks)


def repeats(row: TaskRow, rank: int, outcome: Outcome) -> bool:
    """Whether the rank reported this end before."""
    return bool(row.ranks) and row.ranks[rank].end == (outcome.verdict, outcome.digest)


def done(row: TaskRow, rank: int, outcome: Outcome) -> bool:
    """Note how a rank ended; True unless the gang goes on without it."""
    row.ranks[rank].end = (outcome.verdict, outcome.digest)
    row.ranks[rank].result = outcome.result
    ended = [one.end is not None and one.end[0] is Verdict.COMPLETED for one in row.ranks]
    return outcome.verdict is not Verdict.COMPLETED or all(ended)


def _could_start(row: TaskRow, fitting: Sequence[ServerRow]) -> bool:
    return sum(v.id not in row.declined for v in fitting) >= row.new.demand.gang


def _peers(s: State, row: TaskRow, server: ServerRow, fitting: Sequence[ServerRow]) -> tuple[ServerRow, ...] | None:
    needed = row.new.demand.gang - 1
    asked = [v for v in fitting if v is not server and v.id not in row.declined]
    waiting = [v for v in asked if waits(s, v) and room.has_room(s, v, row)]
    waiting.sort(key=lambda v: (v.wants_since_ms or 0, v.id))
    good = [v for v in waiting[:LOOKED_AT] if v.id not in row.tried]
    if s.now - row.since_ms >= s.options.avoid_ms:
        good += [v for v in waiting[:LOOKED_AT] if v.id in row.tried]
    return tuple(good[:needed]) if len(good) >= needed else None


def waits(s: State, server: ServerRow) -> bool:
    """It waits for work on a connection that a living gateway holds."""
    return server.wants_since_ms is not None and s.hub.lives(server.gateway, s.now) and server.free(s.now)
