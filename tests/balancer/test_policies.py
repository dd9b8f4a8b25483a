"""Every registered policy under the same laws, and what all policies that break ties at random share."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from balancer import Candidate, Needs, NoCandidate, Pick, Policy, known_policies, policy_named
from tests.balancer.fleets import fleet, shares, within_4_sigma
from tests.balancer.laws import LAWS

BREAKS_TIES_AT_RANDOM = ("least-connections", "random", "weighted-random", "power-of-two", "peak-ewma")


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("name", known_policies())
def test_law(name: str, law: Callable[[Policy], None]) -> None:
    law(policy_named(name))


@pytest.mark.parametrize("name", known_policies())
def test_knows_its_own_name_and_needs(name: str) -> None:
    assert policy_named(name).name == name
    assert isinstance(policy_named(name).needs, Needs)


@pytest.mark.parametrize("name", known_policies())
def test_refusal_says_how_many_servers_were_looked_at(name: str) -> None:
    with pytest.raises(NoCandidate, match="none of 3 servers"):
        policy_named(name).choose(fleet([1, 2, 3], active=1000), Pick(rng=random.Random(1)))


@pytest.mark.parametrize("active", [0, 3])
@pytest.mark.parametrize("name", BREAKS_TIES_AT_RANDOM)
def test_10_000_ties_are_spread_evenly(name: str, active: int) -> None:
    counts = shares(policy_named(name), fleet([2, 2, 2, 2], active=active), 10_000)
    assert within_4_sigma(counts, dict.fromkeys("abcd", 0.25))


@pytest.mark.parametrize("wrong", [{"weight": 0}, {"active": -1}, {"capacity": -1}])
def test_candidate_refuses_numbers_out_of_range(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="required"):
        Candidate(id="a", seq=1, **wrong)


def test_candidate_free_and_load() -> None:
    assert Candidate(id="a", seq=1, active=1, capacity=4).free
    assert not Candidate(id="a", seq=1, active=4, capacity=4).free
    assert not Candidate(id="a", seq=1, active=5, capacity=4).free  # the capacity was lowered while five ran
    assert Candidate(id="a", seq=1, active=1, capacity=4).load == 0.25
    assert Candidate(id="a", seq=1, capacity=0).load == float("inf")
