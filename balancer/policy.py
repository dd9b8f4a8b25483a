"""What a balancing policy is."""

from collections.abc import Sequence
from enum import StrEnum
from typing import ClassVar, Protocol

from balancer.candidate import Candidate
from balancer.pick import Pick


class Needs(StrEnum):
    """What a policy is shown of a fleet that is too large to be told whole (more than 64 servers); of a smaller one it
    is shown all. Then 16 free servers are told, those with the least active / weight."""

    TURN = "turn"
    """Every eligible server, and its place in the shared turn; those that were not told count as free."""
    NOTHING = "nothing"
    """Every eligible server; those that were not told count as free."""
    TWO = "two"
    """The servers that were told."""
    LEAST = "least"
    """The servers that were told, and the load of the chosen one is checked when it is claimed."""


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
