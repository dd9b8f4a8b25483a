"""The least loaded server."""

from collections.abc import Sequence
from typing import ClassVar

from balancer.candidate import Candidate
from balancer.pick import Pick
from balancer.policy import Needs


class LeastConnections:
    """The available server with the least active / weight; ties at random, or the first server would take all of an
    idle fleet.

    With exact shared counts and equal weights this is join-the-shortest-queue (Winston 1977).
    """

    name: ClassVar[str] = "least-connections"
    needs: ClassVar[Needs] = Needs.LEAST

    def choose(self, candidates: Sequence[Candidate], pick: Pick) -> Candidate:
        available = pick.available(candidates)
        least = min(candidate.active_per_weight for candidate in available)
        return pick.rng.choice([candidate for candidate in available if candidate.active_per_weight == least])
