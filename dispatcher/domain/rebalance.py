"""Which models to move between workers. Pure: the same fleet gives the same plan.

A strategy spreads an amount over the workers in proportion to what they can take; it goes by one figure, the sum of
amount^2 / capacity over the workers, which is least when all are filled to the same share. Models are moved one after
another, each time the one that lowers the figure most, and only when that is worth at least a hundredth of what the
two workers have in it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

MOVES_MOST = 32
WORTH = 0.01  # the least gain, as a share of what the two workers have in the figure: loading a model is not free
SOURCES, TARGETS = 32, 64  # workers that are looked at for one move: the fullest, the emptiest with room


class Strategy(StrEnum):
    MEMORY = "memory_optimized"  # fill the memories to the same share
    LOAD = "load_balanced"  # spread the use of models over the slots
    PERFORMANCE = "performance_optimized"  # the same, and a faster worker takes more of it


@dataclass(frozen=True, slots=True)
class Host:
    """A worker that models can be on. `memory` in bytes, of which `taken` by anything but the models that are planned
    with; `slots` >= 1; `load` is use that stays where it is; `speed` > 0, relative to the others. `models` are those
    that it can load, None: any."""

    server_id: str
    memory: int
    taken: int = 0
    slots: int = 1
    load: float = 0.0
    speed: float = 1.0
    models: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Copy:
    """A loaded model on a worker. `memory` in bytes: one of unknown size (0) stays. `use` is how much work it brings
    there, in any unit that is the same for all."""

    model: str
    server_id: str
    memory: int
    use: float = 1.0


@dataclass(frozen=True, slots=True)
class Move:
    """Load at the target, and when that is done unload at the source."""

    model: str
    source: str
    target: str
    memory: int


@dataclass(slots=True)
class _Place:
    host: Host
    capacity: float
    amount: float
    free: int
    copies: dict[str, Copy]

    @property
    def share(self) -> float:
        return self.amount / self.capacity


def plan(strategy: Strategy, hosts: Iterable[Host], copies: Iterable[Copy]) -> list[Move]:
    """The moves that even a fleet out, in order, at most 32; none when none is worth it. No model moves twice, and
    at no step is a memory overfull that was not before. Copies on unknown workers are left alone."""
    places = _places(strategy, hosts, copies)
    moves: list[Move] = []
    moved: set[tuple[str, str]] = set()
    while len(moves) < MOVES_MOST:
        best = _best(strategy, places, moved)
        if best is None:
            break
        source, target, copy = best
        moves.append(Move(copy.model, source.host.server_id, target.host.server_id, copy.memory))
        moved.add((copy.model, target.host.server_id))
        _shift(strategy, source, target, copy)
    return moves


def figure(strategy: Strategy, hosts: Iterable[Host], copies: Iterable[Copy]) -> float:
    """What the strategy lowers; 0 for an empty fleet."""
    return _figure(_places(strategy, hosts, copies))


def after(copies: Iterable[Copy], moves: Sequence[Move]) -> list[Copy]:
    """The copies once the moves are made."""
    left = list(copies)
    for move in moves:
        left = [
            replace(c, server_id=move.target) if (c.model, c.server_id) == (move.model, move.source) else c
            for c in left
        ]
    return left


def _places(strategy: Strategy, hosts: Iterable[Host], copies: Iterable[Copy]) -> list[_Place]:
    places = {
        host.server_id: _Place(host, _capacity(strategy, host), _stays(strategy, host), host.memory - host.taken, {})
        for host in sorted(hosts, key=lambda h: h.server_id)
    }
    for copy in copies:
        place = places.get(copy.server_id)
        if place is not None:
            place.copies[copy.model] = copy
            place.amount += _amount(strategy, copy)
            place.free -= copy.memory
    return list(places.values())


def _capacity(strategy: Strategy, host: Host) -> float:
    match strategy:
        case Strategy.MEMORY:
            return max(host.memory, 1)
        case Strategy.LOAD:
            return host.slots
        case Strategy.PERFORMANCE:
            return host.slots * host.speed


def _stays(strategy: Strategy, host: Host) -> float:
    return host.taken if strategy is Strategy.MEMORY else host.load


def _amount(strategy: Strategy, copy: Copy) -> float:
    return copy.memory if strategy is Strategy.MEMORY else copy.use


def _figure(places: Iterable[_Place]) -> float:
    return sum(place.amount**2 / place.capacity for place in places)


def _best(strategy: Strategy, places: list[_Place], moved: set[tuple[str, str]]) -> tuple[_Place, _Place, Copy] | None:
    """The move that gains most; among equals the first by model, source and target."""
    found: list[tuple[float, str, str, str, _Place, _Place, Copy]] = []
    by_share = sorted(places, key=lambda p: (p.share, p.host.server_id))
    for source in by_share[::-1][:SOURCES]:
        for copy in source.copies.values():
            if copy.memory <= 0 or (copy.model, source.host.server_id) in moved:
                continue
            for target in _targets(by_share, copy):
                gain = _gain(_amount(strategy, copy), source, target)
                if gain > 0:
                    key = (-gain, copy.model, source.host.server_id, target.host.server_id)
                    found.append((*key, source, target, copy))
    if not found:
        return None
    return min(found, key=lambda entry: entry[:4])[4:]


def _targets(by_share: list[_Place], copy: Copy) -> Iterator[_Place]:
    left = TARGETS
    for place in by_share:
        loads = place.host.models is None or copy.model in place.host.models
        if loads and copy.model not in place.copies and copy.memory <= place.free:
            yield place
            left -= 1
            if not left:
                return


def _gain(amount: float, source: _Place, target: _Place) -> float:
    """By how much a move lowers the figure; 0 when it is not worth it."""
    before = source.amount**2 / source.capacity + target.amount**2 / target.capacity
    later = (source.amount - amount) ** 2 / source.capacity + (target.amount + amount) ** 2 / target.capacity
    return before - later if before - later > WORTH * before else 0.0


def _shift(strategy: Strategy, source: _Place, target: _Place, copy: Copy) -> None:
    amount = _amount(strategy, copy)
    source.amount -= amount
    source.free += copy.memory
    target.amount += amount
    target.free -= copy.memory
    del source.copies[copy.model]
    target.copies[copy.model] = replace(copy, server_id=target.host.server_id)
