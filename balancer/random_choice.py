"""Chance alone: uniform, or in proportion to the weights."""

from collections.abc import Sequence
from typing import ClassVar

from balancer.candidate import Candidate
from balancer.pick import Pick
from balancer.policy import Needs


class RandomChoice:
    """Each available server with the same probability."""

    name: ClassVar[str] = "random"
    needs: ClassVar[Needs] = Needs.NOTHING

    def choose(self, candidates: Sequence[Candidate], pick: Pick) -> Candidate:
        return pick.rng.choice(pick.available(candidates))


class WeightedRandom:
    """Each available server with probability weight / sum of the available weights."""

    name: ClassVar[str] = "weighted-random"
    needs: ClassVar[Needs] = Needs.NOTHING

    def choose(self, candidates: Sequence[Candidate], pick: Pick) -> Candidate:
        available = pick.available(candidates)
        return pick.rng.choices(available, weights=[candidate.weight for candidate in available])[0]
