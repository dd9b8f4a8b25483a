"""Two are drawn, the better one is taken."""

from dataclasses import replace

from balancer.power_of_two import PowerOfTwo
from tests.balancer.fleets import fleet, shares, within_4_sigma


def test_shares_are_those_of_the_better_of_two_distinct_servers() -> None:
    servers = [replace(server, active=position) for position, server in enumerate(fleet([1, 1, 1, 1]))]
    counts = shares(PowerOfTwo(), servers, 10_000)
    # of the six pairs a wins three, b two, c one; d, the fullest, is never taken
    assert within_4_sigma(counts, {"a": 3 / 6, "b": 2 / 6, "c": 1 / 6})


def test_compares_active_per_weight() -> None:
    servers = [replace(server, active=active) for server, active in zip(fleet([4, 1]), [3, 1], strict=True)]
    assert shares(PowerOfTwo(), servers, 50) == {"a": 50}


def test_the_only_one_left_is_taken() -> None:
    servers = fleet([1, 1])
    servers[0] = replace(servers[0], active=servers[0].capacity)
    assert shares(PowerOfTwo(), servers, 10) == {"b": 10}
