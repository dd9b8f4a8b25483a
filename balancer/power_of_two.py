"""The better of two."""

from collections.abc import Sequence
from typing import ClassVar

from balancer.candidate import Candidate
from balancer.pick import Pick
from balancer.policy import Needs


def draw_two(candidates: Sequence[Candidate], pick: Pick) -> list[Candidate]:
    """Two distinct available servers in random order, or the only one. Raises NoCandidate when there is none."""
    available = pick.available(candidates)
    return pick.rng.sample(available, min(2, len(available)))


class PowerOfTwo:
    """Draw two distinct available servers, take the one with less active / weight.

    Two choices bring the fullest of n servers from ln n / ln ln n down to ln ln n / ln 2, and stale counts cause no
    herd (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001).
    """

    name: ClassVar[str] = "power-of-two"
    needs: ClassVar[Needs] = Needs.TWO

    def choose(self, candidates: Sequence[Candidate], pick: Pick) -> Candidate:
        # min keeps the first of equals, and the draw's order is random
        return min(draw_two(candidates, pick), key=lambda candidate: candidate.active_per_weight)
