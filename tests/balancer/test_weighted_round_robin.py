"""The smooth sequence, shares, and weights that are too large for a schedule."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from balancer import Pick
from balancer.weighted_round_robin import SCHEDULE_LENGTH, WeightedRoundRobin, reduce_weights, smooth_schedule
from tests.balancer.fleets import fleet, run, shares

ROBIN = WeightedRoundRobin()


def textbook(weights: Sequence[int]) -> list[int]:
    """The algorithm as it is usually stated, with a current weight for each server."""
    current = [0] * len(weights)
    sequence = []
    for _ in range(sum(weights)):
        current = [have + weight for have, weight in zip(current, weights, strict=True)]
        best = current.index(max(current))
        current[best] -= sum(weights)
        sequence.append(best)
    return sequence


@pytest.mark.parametrize(
    ("weights", "sequence"),
    [([5, 1, 1], "aabacaa"), ([3, 1, 1], "abaca"), ([1, 1, 1], "abc"), ([2, 1], "aba"), ([4, 2], "aba"), ([7], "a")],
)
def test_exact_sequence(weights: list[int], sequence: str) -> None:
    assert "".join(run(ROBIN, fleet(weights)[::-1], range(2 * len(sequence)))) == sequence * 2


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=10))
def test_schedule_equals_the_textbook(weights: list[int]) -> None:
    assert list(smooth_schedule(tuple(weights))) == textbook(reduce_weights(weights))


def test_shares_of_3_1_1_are_within_1_percent() -> None:
    counts = shares(ROBIN, fleet([3, 1, 1]), 4_001)
    for name, share in {"a": 0.6, "b": 0.2, "c": 0.2}.items():
        assert abs(counts[name] / 4_001 - share) <= 0.01 * share


def test_a_full_server_passes_its_turns_on() -> None:
    servers = fleet([5, 1, 1])
    servers[0] = replace(servers[0], active=servers[0].capacity)
    assert "".join(run(ROBIN, servers, range(7))) == "bbbccbb"


def test_walks_past_tried_servers() -> None:
    pick = Pick(rng=random.Random(1), turn=2, tried=frozenset("ab"))
    assert ROBIN.choose(fleet([5, 1, 1]), pick).id == "c"


def test_a_change_of_membership_costs_about_one_each() -> None:
    with_c, without_c = fleet([3, 1, 1]), fleet([3, 1])
    for moment in range(400, 420):
        counts = Counter(run(ROBIN, with_c, range(moment)))
        counts.update(run(ROBIN, without_c, range(moment, 1_000)))
        fair = {"a": moment * 0.6 + (1_000 - moment) * 0.75, "b": moment * 0.2 + (1_000 - moment) * 0.25}
        for name, expected in fair.items():
            assert abs(counts[name] - expected) <= 1 + 1


def test_weights_are_reduced_by_their_common_divisor() -> None:
    assert reduce_weights([5_000_000, 1_000_000, 1_000_000]) == (5, 1, 1)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=50))
def test_a_schedule_stays_short_and_true_to_large_weights(weights: list[int]) -> None:
    reduced = reduce_weights(weights)
    assert sum(reduced) <= SCHEDULE_LENGTH + len(weights)
    assert min(reduced) >= 1
    for weight, entries in zip(weights, reduced, strict=True):
        quota = weight / sum(weights) * sum(reduced)
        assert abs(entries - quota) <= 1 + len(weights) * quota / SCHEDULE_LENGTH


def test_shares_of_coprime_large_weights() -> None:
    counts = shares(ROBIN, fleet([1_000_003, 500_009, 7]), SCHEDULE_LENGTH * 2)
    assert abs(counts["a"] / counts["b"] - 2) < 0.01
    assert counts["c"] == 2  # too light for an entry, but never starved
