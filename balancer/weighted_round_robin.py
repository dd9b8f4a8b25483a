"""Smooth weighted round-robin as a pure function of the turn."""

import math
from array import array
from collections import deque
from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar

from balancer.candidate import Candidate
from balancer.errors import NoCandidate
from balancer.pick import Pick
from balancer.policy import Needs
from balancer.round_robin import in_registration_order

SCHEDULE_LENGTH = 4096


def reduce_weights(weights: Sequence[int]) -> tuple[int, ...]:
    """The smallest weights with the same ratios; if their sum exceeds SCHEDULE_LENGTH, scaled down to about that.

    Scaling rounds each weight to the nearest entry and leaves every server at least one, so the sum stays at most
    SCHEDULE_LENGTH + len(weights) and a share is off by half an entry (0.012 % of all choices), or by up to a whole
    one for a server that was too light for an entry.
    """
    divisor = math.gcd(*weights)
    reduced = tuple(weight // divisor for weight in weights)
    total = sum(reduced)
    if total <= SCHEDULE_LENGTH:
        return reduced
    return tuple(max(1, round(weight * SCHEDULE_LENGTH / total)) for weight in reduced)


@lru_cache(maxsize=128)
def smooth_schedule(weights: tuple[int, ...]) -> Sequence[int]:
    """One period of the interleaved order, as positions in `weights`: (5, 1, 1) gives 0 0 1 0 2 0 0.

    The algorithm is nginx's smooth weighted round-robin: at each step every server gains its weight, the highest (the
    first of equals) is chosen and pays the total. Servers of equal weight take turns among themselves, so one queue
    for each distinct weight gives the same sequence in O(period x distinct weights) instead of O(period x servers).
    """
    reduced = reduce_weights(weights)
    total = sum(reduced)
    queues: dict[int, deque[tuple[int, int]]] = {}
    for position, weight in enumerate(reduced):
        queues.setdefault(weight, deque()).append((0, -position))  # (what it paid so far, tie-break)
    schedule = array("L")
    for step in range(1, total + 1):
        best = max(queues, key=lambda weight: (step * weight + queues[weight][0][0], queues[weight][0][1]))
        paid, position = queues[best].popleft()
        queues[best].append((paid - total, position))
        schedule.append(-position)
    return schedule


class WeightedRoundRobin:
    """The server at `turn mod period` of the smooth schedule over registration order; full or tried servers are
    walked past.

    Each share is exact after every whole period. Like plain round-robin it re-phases when a server joins, leaves or
    changes its weight.
    """

    name: ClassVar[str] = "weighted-round-robin"
    needs: ClassVar[Needs] = Needs.TURN

    def choose(self, candidates: Sequence[Candidate], pick: Pick) -> Candidate:
        order = in_registration_order(candidates)
        schedule = smooth_schedule(tuple(candidate.weight for candidate in order))
        for step in range(len(schedule)):
            candidate = order[schedule[(pick.turn + step) % len(schedule)]]
            if pick.accepts(candidate):
                return candidate
        raise NoCandidate(f"none of {len(order)} servers is free and untried")
