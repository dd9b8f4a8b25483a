"""Small fleets and long runs for the tests of single policies."""

import random
from collections import Counter
from collections.abc import Iterable, Sequence

from balancer import Candidate, Pick, Policy


def fleet(weights: Sequence[int], **common: int) -> list[Candidate]:
    """Servers a, b, c... of these weights with room to spare."""
    return [
        Candidate(id=chr(ord("a") + position), seq=position, weight=weight, **{"capacity": 1000, **common})
        for position, weight in enumerate(weights)
    ]


def run(policy: Policy, servers: Sequence[Candidate], turns: Iterable[int], seed: int = 1) -> list[str]:
    """The ids chosen at these turns, one rng for all."""
    rng = random.Random(seed)
    return [policy.choose(servers, Pick(rng=rng, turn=turn)).id for turn in turns]


def shares(policy: Policy, servers: Sequence[Candidate], count: int, seed: int = 1) -> Counter[str]:
    return Counter(run(policy, servers, range(count), seed))


def within_4_sigma(counts: Counter[str], expected: dict[str, float]) -> bool:
    """Whether each count is within four standard deviations of its expectation; the probabilities sum to 1."""
    total = counts.total()
    return set(counts) <= set(expected) and all(
        abs(counts[name] - total * p) <= 4 * (total * p * (1 - p)) ** 0.5 for name, p in expected.items()
    )
