"""Shares of uniform and weighted chance."""

from dataclasses import replace

from balancer.random_choice import RandomChoice, WeightedRandom
from tests.balancer.fleets import fleet, shares, within_4_sigma


def test_random_ignores_weight_and_load() -> None:
    servers = [replace(server, active=10 * server.weight) for server in fleet([1, 2, 3, 4])]
    assert within_4_sigma(shares(RandomChoice(), servers, 10_000), dict.fromkeys("abcd", 0.25))


def test_weighted_random_follows_the_weights() -> None:
    counts = shares(WeightedRandom(), fleet([5, 3, 2]), 10_000)
    assert within_4_sigma(counts, {"a": 0.5, "b": 0.3, "c": 0.2})


def test_weighted_random_shares_out_what_a_full_server_leaves() -> None:
    servers = fleet([5, 3, 2])
    servers[0] = replace(servers[0], active=servers[0].capacity)
    assert within_4_sigma(shares(WeightedRandom(), servers, 10_000), {"b": 0.6, "c": 0.4})
