"""Each server in turn."""

from collections.abc import Sequence
from typing import ClassVar

from balancer.candidate import Candidate
from balancer.errors import NoCandidate
from balancer.pick import Pick
from balancer.policy import Needs


def in_registration_order(candidates: Sequence[Candidate]) -> list[Candidate]:
    """A stable order: snapshots come in whatever order heartbeats left them."""
    return sorted(candidates, key=lambda candidate: (candidate.seq, candidate.id))


class RoundRobin:
    """The server at `turn mod n` in registration order; full or tried servers are walked past.

    The turn counts over all eligible servers, so a full one passes its turn to the next and nobody else's turn moves.
    A server that joins or leaves shifts the phase: each share is off by at most one for each such change.
    """

    name: ClassVar[str] = "round-robin"
    needs: ClassVar[Needs] = Needs.TURN

    def choose(self, candidates: Sequence[Candidate], pick: Pick) -> Candidate:
        order = in_registration_order(candidates)
        for step in range(len(order)):
            candidate = order[(pick.turn + step) % len(order)]
            if pick.accepts(candidate):
                return candidate
        raise NoCandidate(f"none of {len(order)} servers is free and untried")
