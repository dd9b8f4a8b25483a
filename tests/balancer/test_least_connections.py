"""The least active per weight, and nothing but the tied ones."""

from dataclasses import replace

from balancer import Candidate
from balancer.least_connections import LeastConnections
from tests.balancer.fleets import fleet, shares, within_4_sigma


def loaded(weights: list[int], active: list[int]) -> list[Candidate]:
    return [replace(server, active=busy) for server, busy in zip(fleet(weights), active, strict=True)]


def test_takes_the_least_active() -> None:
    assert shares(LeastConnections(), loaded([1, 1, 1], [2, 1, 3]), 50) == {"b": 50}


def test_compares_active_per_weight() -> None:
    assert shares(LeastConnections(), loaded([4, 1], [3, 1]), 50) == {"a": 50}


def test_equal_ratios_tie_even_when_the_counts_differ() -> None:
    counts = shares(LeastConnections(), loaded([3, 6, 1], [1, 2, 1]), 10_000)
    assert within_4_sigma(counts, {"a": 0.5, "b": 0.5})


def test_an_idle_but_full_server_is_no_candidate() -> None:
    servers = [Candidate(id="a", seq=0, capacity=0), Candidate(id="b", seq=1, active=7, capacity=8)]
    assert shares(LeastConnections(), servers, 10) == {"b": 10}
