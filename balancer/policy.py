"""What a balancing policy is."""

from collections.abc import Sequence
from enum import StrEnum
from typing import ClassVar, Protocol

from balancer.candidate import Candidate
from balancer.pick import Pick


class Needs(StrEnum):
    """The snapshot that a policy needs of a large fleet; a small one is given whole."""

    TURN = "turn"
    """The shared turn and every eligible server, full ones too."""
    NOTHING = "nothing"
    """The eligible servers; their loads may be stale."""
    TWO = "two"
    """Two free servers drawn at random."""
    LEAST = "least"
    """The free servers with the least active / weight."""


class Policy(Protocol):
    """Chooses a server. Stateless: the answer depends on the arguments alone, so that all gateways balance as one."""

    name: ClassVar[str]
    needs: ClassVar[Needs]

    def choose(self, candidates: Sequence[Candidate], pick: Pick) -> Candidate:
        """Return the server for this task.

        `candidates` are the eligible servers (online, not in maintenance, fitting the task) in any order, full ones
        included. The answer is free and not in `pick.tried`; raises NoCandidate when no server is both.
        """
        ...
