"""What every policy must hold to, as functions that take the policy; test_policies.py runs them over the registry."""

import random
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from balancer import Candidate, NoCandidate, Pick, Policy

latencies = st.none() | st.integers(1, 100_000).map(float)  # whole numbers: equal costs tie whatever the rounding


@st.composite
def fleets(draw: st.DrawFn) -> list[Candidate]:
    """1 to 12 servers in any order, some of them full."""
    seqs = draw(st.lists(st.integers(0, 10_000), min_size=1, max_size=12, unique=True))
    return [
        Candidate(
            id=f"s{seq}",
            seq=seq,
            weight=draw(st.integers(1, 50)),
            active=draw(st.integers(0, 4)),
            capacity=draw(st.integers(0, 4)),
            latency_ms=draw(latencies),
        )
        for seq in seqs
    ]


@st.composite
def situations(draw: st.DrawFn) -> tuple[list[Candidate], int, str, frozenset[str], int]:
    """A fleet, a turn, a key, the servers already tried, and a seed."""
    fleet = draw(fleets())
    tried = draw(st.frozensets(st.sampled_from([candidate.id for candidate in fleet])))
    return fleet, draw(st.integers(0, 10**9)), draw(st.text(max_size=8)), tried, draw(st.integers(0, 2**32))


Situation = tuple[list[Candidate], int, str, frozenset[str], int]
examples = settings(max_examples=100, deadline=None)


def pick_of(situation: Situation) -> Pick:
    _, turn, key, tried, seed = situation
    return Pick(rng=random.Random(seed), turn=turn, key=key, tried=tried)


def choice(policy: Policy, fleet: list[Candidate], pick: Pick) -> str | None:
    """The id chosen, None for NoCandidate."""
    try:
        return policy.choose(fleet, pick).id
    except NoCandidate:
        return None


def answers_an_available_member_or_refuses(policy: Policy) -> None:
    @examples
    @given(situations())
    def law(situation: Situation) -> None:
        fleet, _, _, tried, _ = situation
        available = {c.id for c in fleet if c.active < c.capacity and c.id not in tried}
        chosen = choice(policy, fleet, pick_of(situation))
        assert chosen in available if available else chosen is None

    law()


def same_seed_same_answer(policy: Policy) -> None:
    @examples
    @given(situations())
    def law(situation: Situation) -> None:
        first = choice(policy, situation[0], pick_of(situation))
        assert choice(policy, situation[0], pick_of(situation)) == first

    law()


def order_of_the_snapshot_is_irrelevant_without_chance(policy: Policy) -> None:
    @examples
    @given(situations(), st.randoms(use_true_random=False))
    def law(situation: Situation, shuffler: random.Random) -> None:
        pick = pick_of(situation)
        before = pick.rng.getstate()
        chosen = choice(policy, situation[0], pick)
        if pick.rng.getstate() != before:
            return  # it drew lots
        shuffled = list(situation[0])
        shuffler.shuffle(shuffled)
        assert choice(policy, shuffled, pick) == chosen

    law()


def only_the_ratio_of_weights_counts(policy: Policy) -> None:
    @examples
    @given(situations(), st.integers(2, 1000))
    def law(situation: Situation, factor: int) -> None:
        chosen = choice(policy, situation[0], pick_of(situation))
        scaled = [replace(candidate, weight=candidate.weight * factor) for candidate in situation[0]]
        assert choice(policy, scaled, pick_of(situation)) == chosen

    law()


LAWS = (
    answers_an_available_member_or_refuses,
    same_seed_same_answer,
    order_of_the_snapshot_is_irrelevant_without_chance,
    only_the_ratio_of_weights_counts,
)
