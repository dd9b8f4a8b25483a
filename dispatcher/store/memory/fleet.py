"""Which servers are free for a task, which task is next for a server, and what faults do to a server."""

from collections.abc import Iterator

from dispatcher.domain.failure import BLAMES_SERVER, Outcome, Verdict
from dispatcher.domain.grant import Candidates, FreeServer
from dispatcher.domain.lane import Demand, fits
from dispatcher.domain.placement import PlacementStatus
from dispatcher.store.memory import gangs, room, way
from dispatcher.store.memory.counters import MINUTE_MS
from dispatcher.store.memory.server_rows import ServerRow
from dispatcher.store.memory.state import State
from dispatcher.store.memory.task_rows import TaskRow

ALL_UP_TO = 64
LEAST_LOADED = 16
PASSED = 16  # lanes that are passed by for want of room for their head
HEADS = 4  # that are looked at, to find one that is not skipped
WARM_FIRST_MS = 250  # how long a task is left to workers that wait with its model in memory
WARM_ASKED = 16
COLD = 2
COMES = (PlacementStatus.ASSIGNED, PlacementStatus.QUEUED, PlacementStatus.LOADING)
AVOID_MS = 5_000  # how long a task avoids a server that failed it
REST_MIN_MS, REST_MAX_MS = 1_000, 60_000
BUSY_MAX = 5
ANSWERED = frozenset({Verdict.COMPLETED, Verdict.FAILED})  # it did its work, whatever came of it
SMOOTHING = 0.2  # weight of the newest service time


def fitting(s: State, demand: Demand) -> list[ServerRow]:
    """The servers of a lane that are online and not in maintenance, by registration."""
    fit = (v for v in s.servers.values() if v.serving and fits(demand, v.new.offer))
    return sorted(fit, key=lambda v: v.seq)


def are_left(s: State, row: TaskRow) -> bool:
    """Whether as many servers as it needs are online and have not declined, maintenance or not."""
    left = [
        v for v in s.servers.values() if v.online and v.id not in row.declined and fits(row.new.demand, v.new.offer)
    ]
    return len(left) >= row.new.demand.gang


def candidates(s: State, demand: Demand, *, without: str | None = None, task: TaskRow | None = None) -> Candidates:
    """Free servers of a lane, least loaded first; with room for the task, when one is named."""
    fit = fitting(s, demand)
    declined = task.declined if task is not None else ()
    free = sorted(
        (
            v
            for v in fit
            if v.id not in declined
            and v.pushed
            and v.id != without
            and v.free(s.now)
            and (task is None or room.has_room(s, v, task))
        ),
        key=lambda v: (v.load(s.now), v.seq),
    )
    kept = free if len(fit) <= ALL_UP_TO else free[:LEAST_LOADED]
    return Candidates(tuple(FreeServer(v.id, v.load(s.now)) for v in kept), complete=len(kept) == len(free))


def order(s: State, server: ServerRow) -> Iterator[TaskRow]:
    """The waiting tasks that this server can run, in queue order."""
    offer = server.new.offer
    return (s.tasks[task_id] for task_id in s.queue.order(lambda lane: fits(s.demands[lane], offer)))


def skips(s: State, server: ServerRow, row: TaskRow) -> bool:
    """Whether a grant on this server leaves the task to others: a first right, their warm model, or it failed here."""
    if row.right_until_ms > s.now or _left_to_warm(s, server, row):
        return True
    shy = row.new.shy  # a late report could pass for the new attempt's
    if server.id not in row.tried or (not shy and s.now - row.since_ms >= AVOID_MS):
        return False
    return any(v.id != server.id and v.id not in row.declined for v in fitting(s, row.new.demand))


def _left_to_warm(s: State, server: ServerRow, row: TaskRow) -> bool:
    """Another waits for work with its model in memory, or there comes the model sooner: for a moment the task is its
    alone, and it is told."""
    model = row.new.model
    if not model or s.now - row.queued_ms > WARM_FIRST_MS:
        return False
    ranks = sorted((rank, v.id) for v in s.servers.values() if (rank := _warmth(v, model)) < COLD)
    for rank, name in ranks[:WARM_ASKED]:
        v = s.servers[name]
        if rank >= _warmth(server, model):
            return False
        able = (
            v.id not in (*row.tried, *row.declined) and fits(row.new.demand, v.new.offer) and room.has_room(s, v, row)
        )
        if able and gangs.waits(s, v):
            s.hub.event("server", {"id": v.id, "state": "asked"})
            return True
    return False


def _warmth(server: ServerRow, model: str) -> int:
    """0 with the model in memory, 1 where an operator has put it, else COLD."""
    if model in server.shown:
        return 0
    placement = server.models.get(model)
    return 1 if placement is not None and placement.assignment and placement.status in COMES else COLD


def select(s: State, server: ServerRow, *, waits: bool = False) -> gangs.Head | None:
    """The next task for a server: what it is kept for, else the first of the heads that is not skipped and finds room.

    Where a head finds none, or is a gang for which too few others wait, what is behind it in its lane is passed by with
    it. `waits`: the server waits on an open connection. It may be one of a gang, and a gang that gathers holds it.
    """
    gang = gangs.gathering(s, lambda row: fitting(s, row.new.demand))
    held = gang is not None and waits and server.id not in gang.declined
    if gang is not None and held and fits(gang.new.demand, server.new.offer):
        return gangs.head_of(s, gang, server, fitting(s, gang.new.demand))
    kept = room.reserved_that_fits(s, server)
    if kept is not None and not gangs.is_gang(kept) and not skips(s, server, kept):
        return gangs.Head(kept)
    looked, declined, passed = 0, 0, set[tuple[str, str]]()
    for row in order(s, server):
        line = (row.new.owner.tenant, row.lane)
        if line in passed:
            continue
        if server.id in row.declined:
            declined += 1
            if declined > s.options.declined_max:
                passed.add(line)
        elif gangs.is_gang(row):
            head = gangs.head_of(s, row, server, fitting(s, row.new.demand)) if waits else None
            if head is not None or s.gathering == row.id:
                return head
            passed.add(line)
        elif skips(s, server, row):
            looked += 1
        elif room.has_room(s, server, row):
            return gangs.Head(row)
        else:
            way.make_way(s, server, row)
            room.reserve(s, server, row)
            passed.add(line)
        if looked == HEADS or len(passed) == PASSED:
            break
    return None


def behind(s: State, server: ServerRow, own: TaskRow) -> TaskRow | None:
    """The head that goes before `own` on this server, when it has waited too long."""
    head = select(s, server)
    if head is None or head.row is own or s.now - head.row.queued_ms <= s.options.behind_ms:
        return None
    first = next(row for row in order(s, server) if row is own or row is head.row)
    return head.row if first is head.row else None


def wake(s: State, server: ServerRow | None) -> None:
    """A server may have become free: tell the gateways when there is work for it."""
    if server is not None and server.pushed and server.free(s.now) and select(s, server) is not None:
        s.hub.wake(s.now)


def heard_of(s: State, server: ServerRow) -> None:
    """A worker that fetches shows that it lives by asking for work and by speaking of what it has."""
    server.last_seen_ms = s.now
    alive(s, server, server.new.silence_ms or s.options.offline_after_ms)


def alive(s: State, server: ServerRow, next_check_ms: int) -> None:
    """A sign of life: online, one uptime minute."""
    s.counters.alive[server.id].add(s.now // MINUTE_MS)
    server.alive_ms = s.now + next_check_ms
    if not server.online:
        server.online, server.left = True, False
        s.fleet_changed("online", server)
    wake(s, server)


def silent(s: State, server: ServerRow) -> None:
    """It is offline, and forgotten after a while where it was registered so."""
    server.forget_at_ms = s.now + server.new.forget_ms if server.new.forget_ms else None
    if server.online:
        server.online = False
        s.fleet_changed("offline", server)


def drop_slot(s: State, server_id: str, task_id: str, fence: int) -> bool:
    """Free a slot; False when there is none."""
    server = s.servers.get(server_id)
    return server is not None and server.drop((task_id, fence))


def drop_left(s: State, server_id: str, row: TaskRow, fence: int | None) -> None:
    """The worker is done with attempts of a task that are over (all, or the one that it names): free their slots."""
    server = s.servers.get(server_id)
    for slot in list(server.slots) if server is not None else []:
        over = not row.lives or slot[1] != row.fence
        if slot[0] == row.id and over and fence in (None, slot[1]):
            drop_slot(s, server_id, *slot)


def judge(s: State, server: ServerRow, row: TaskRow, outcome: Outcome) -> None:
    """What an attempt's end says of the server."""
    verdict = outcome.verdict
    bare_busy = verdict is Verdict.BUSY and outcome.rest_ms == 0
    server.busy = server.busy + 1 if bare_busy else 0
    if verdict is Verdict.BUSY:
        server.rest_until_ms = s.now + min(max(outcome.rest_ms, REST_MIN_MS), REST_MAX_MS)
    if verdict in ANSWERED:
        _praise(s, server, outcome)
    elif verdict in BLAMES_SERVER:
        _blame(s, server, row.new.demand)
    elif server.busy >= BUSY_MAX:
        server.busy = 0
        _blame(s, server, row.new.demand)


def _praise(s: State, server: ServerRow, outcome: Outcome) -> None:
    """It works: forget its faults, and its ejections once the longest one would be over."""
    server.faults = 0
    server.probation = False
    if s.now - server.readmitted_ms > s.options.eject_max_ms:
        server.ejections = 0
    if outcome.service_ms is not None:
        old = server.latency_ms
        server.latency_ms = float(outcome.service_ms) if old is None else old + SMOOTHING * (outcome.service_ms - old)


def _blame(s: State, server: ServerRow, demand: Demand) -> None:
    """One more fault in a row; enough of them eject, and on probation one is enough."""
    server.faults += 1
    if server.ejected_until_ms or not (server.probation or server.faults >= s.options.eject_after):
        return
    if not _may_eject(s, server, demand):
        return
    server.ejections += 1
    length = min(s.options.eject_base_ms * 2 ** (server.ejections - 1), s.options.eject_max_ms)
    server.ejected_until_ms = server.probe_at_ms = s.now + length
    server.faults = 0
    server.probation = False
    s.fleet_changed("ejected", server)


def readmit(s: State, server: ServerRow) -> None:
    """An ejection is over: one task at a time until one succeeds."""
    server.ejected_until_ms = 0
    server.readmitted_ms = s.now
    server.probation = True
    s.fleet_changed("readmitted", server)
    wake(s, server)


def _may_eject(s: State, server: ServerRow, demand: Demand) -> bool:
    """At most half of the lane's servers, and never below what the load needs."""
    fleet = fitting(s, demand)
    ejected = sum(1 for v in fleet if v.ejected_until_ms)
    rest = [v for v in fleet if not v.ejected_until_ms and v is not server]
    in_use = sum(len(v.slots) for v in fleet)
    return ejected + 1 <= len(fleet) // 2 and sum(v.new.max_concurrent for v in rest) >= in_use
