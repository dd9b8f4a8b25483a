"""The circumstances of one choice."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from balancer.candidate import Candidate
from balancer.errors import NoCandidate


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """What a policy may use besides the servers.

    `turn` >= 0 counts the choices of a lane over all gateways. `key` is the affinity key, empty when the task has
    none. `rng` is the only source of chance. `tried` holds the ids of servers that already refused or failed this
    task.
    """

    rng: random.Random
    turn: int = 0
    key: str = ""
    tried: frozenset[str] = frozenset()

    def accepts(self, candidate: Candidate) -> bool:
        """Whether this task may go to the server now: it is free and not yet tried."""
        return candidate.active < candidate.capacity and candidate.id not in self.tried

    def available(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """The acceptable servers in the order given, at least one. Raises NoCandidate when there is none."""
        available = [candidate for candidate in candidates if self.accepts(candidate)]
        if not available:
            raise NoCandidate(f"none of {len(candidates)} servers is free and untried")
        return available
