"""Starting queued tasks: a gateway's claim, and the heads that gateways should claim."""

from collections import defaultdict
from collections.abc import Sequence

from dispatcher.domain.grant import Behind, Candidates, Claim, Full, Gone, Grant, Granted, Moved, Waiting
from dispatcher.domain.transitions import TaskState
from dispatcher.store.memory import attempts, fleet, gangs, room
from dispatcher.store.memory.server_rows import ServerRow
from dispatcher.store.memory.state import State
from dispatcher.store.memory.task_rows import TaskRow
from dispatcher.store.refusals import replaced

ROUNDING = 1e-6  # loads travel as decimal text


def claim(
    s: State,
    task_id: str,
    server_id: str,
    *,
    claim_id: str,
    nonce: str,
    gateway: str,
    lease_ms: int,
    expected_load: float | None,
    instead: Sequence[str],
    last: bool,
) -> Claim:
    row = s.tasks.get(task_id)
    if row is None:
        return Gone(None)
    if row.claim is not None and row.claim[0] == claim_id:
        return _repeated(s, row, row.claim, nonce)
    if row.state is not TaskState.PENDING or _promised(s, row, gateway):
        return Gone(row.state)
    if gangs.is_gang(row):  # only workers that wait on a connection start together
        return Full(Candidates(()))
    server = s.servers.get(server_id)
    refusal = _refused(s, row, server, expected_load)
    if isinstance(refusal, Moved) and (other := _least_loaded(s, row, instead)) is not None:
        server, refusal = other, None
    if server is None or refusal is not None:
        answer = refusal or Full(fleet.candidates(s, row.new.demand, task=row))
        if last or not answer.candidates.free:  # the caller has nowhere else to go
            row.right_until_ms = 0
        return answer
    head = fleet.behind(s, server, row) or row
    row.right_until_ms = 0
    grant = attempts.start(s, head, server, nonce=nonce, gateway=gateway, lease_ms=lease_ms)
    row.claim = (claim_id, head.id, grant.fence)
    return Granted(grant) if head is row else Behind(grant)


def claim_next(
    s: State, server_id: str, *, claim_id: str, nonce: str, gateway: str, lease_ms: int, note: str, session: str
) -> Grant | None:
    server = s.server(server_id)
    known = s.fetched.get(claim_id)
    if known is not None:  # the reply was lost
        return attempts.held_grant(s, *known, server)
    if session not in ("", server.session):
        raise replaced()
    fleet.heard_of(s, server)
    found = gangs.take(s, server)
    if found is None:
        head = fleet.select(s, server, waits=bool(session)) if server.free(s.now) else None
        if head is None:
            if session and server.free(s.now) and server.wants_since_ms is None:
                server.wants_since_ms = s.now
            return None
        server.wants_since_ms = None
        head.row.right_until_ms = 0
        attempts.start(s, head.row, server, nonce=nonce, gateway=gateway, lease_ms=lease_ms, note=note)
        if gangs.is_gang(head.row):
            gangs.start(s, head.row, server, head.peers)
        found = (head.row, 0)
    row, rank = found
    if row.attempt is not None:
        row.attempt.accepted.add(server.id)
    server.slots[row.id, row.fence] = s.now + lease_ms
    s.fetched[claim_id] = (row.id, row.fence, rank)
    return attempts.held_grant(s, row.id, row.fence, rank, server)


def _promised(s: State, row: TaskRow, gateway: str) -> bool:
    """Another gateway has the first right to it."""
    return row.right_until_ms > s.now and row.right_of not in ("", gateway)


def _repeated(s: State, row: TaskRow, done: tuple[str, str, int], nonce: str) -> Claim:
    """The answer that a claim got before, while its attempt still runs."""
    _, task_id, fence = done
    grant = attempts.running_grant(s, task_id, fence, nonce)
    if grant is None:
        return Gone(row.state)
    return Granted(grant) if task_id == row.id else Behind(grant)


def _refused(s: State, row: TaskRow, server: ServerRow | None, expected_load: float | None) -> Full | Moved | None:
    demand = row.new.demand
    if server is None or not (server.pushed and server.free(s.now)) or server not in fleet.fitting(s, demand):
        return Full(fleet.candidates(s, demand, task=row))
    if server.id in row.declined or not room.has_room(s, server, row):
        return Full(fleet.candidates(s, demand, task=row))
    if expected_load is not None:
        load, told = server.load(s.now), fleet.candidates(s, demand, task=row)
        least = load if row.new.model in server.shown else told.free[0].load  # preferred whatever the others' loads are
        off = max(abs(load - expected_load), load - least) * server.new.weight
        if off > 1 + ROUNDING:
            return Moved(told)
    return None


def _least_loaded(s: State, row: TaskRow, server_ids: Sequence[str]) -> ServerRow | None:
    fit = fleet.fitting(s, row.new.demand)
    free = [
        server
        for server in map(s.servers.get, server_ids)
        if server in fit
        and server.id not in row.declined
        and server.pushed
        and server.free(s.now)
        and room.has_room(s, server, row)
    ]
    return min(free, key=lambda server: server.load(s.now), default=None)


def peek(s: State, limit: int) -> list[Waiting]:
    """Heads that waited too long while a server is free: of each lane at most as many as it has free slots."""
    taken: dict[str, int] = defaultdict(int)
    passed = set[tuple[str, str]]()  # for want of room for their head
    found: list[Waiting] = []
    for task_id in s.queue:
        row = s.tasks[task_id]
        if len(found) == limit:
            break
        if row.right_until_ms > s.now or s.now - row.queued_ms <= s.options.behind_ms:
            continue
        if taken[row.lane] >= _free_slots(s, row):
            continue
        line = (row.new.owner.tenant, row.lane)
        if line in passed:
            continue
        free = fleet.candidates(s, row.new.demand, task=row)
        if not free.free:  # with needs, or declined
            room.passed_by(s, row)
            passed.add(line)
            continue
        taken[row.lane] += 1
        turn = s.next_turn(row)
        found.append(Waiting(row.id, row.lane, turn, free, frozenset(row.tried), row.new.model))
    return found


def _free_slots(s: State, row: TaskRow) -> int:
    free = [v for v in fleet.fitting(s, row.new.demand) if v.pushed and v.free(s.now)]
    return sum(1 if v.probation else v.new.max_concurrent - v.effective(s.now) for v in free)
