"""Exact turns, walking past full servers, and what a change of membership costs."""

import random
from collections import Counter
from dataclasses import replace

import pytest

from balancer import Pick
from balancer.round_robin import RoundRobin
from tests.balancer.fleets import fleet, run, shares


def test_follows_the_registration_order_whatever_the_order_of_the_snapshot() -> None:
    servers = fleet([1, 1, 1, 1])
    assert "".join(run(RoundRobin(), servers[::-1], range(9))) == "abcdabcda"


def test_the_order_is_that_of_registration_not_of_the_ids() -> None:
    servers = [replace(server, seq=-server.seq) for server in fleet([1, 1, 1])]
    assert "".join(run(RoundRobin(), servers, range(3))) == "cba"


def test_4_000_turns_over_4_servers_are_exactly_1_000_each() -> None:
    assert shares(RoundRobin(), fleet([1, 1, 1, 1]), 4_000) == dict.fromkeys("abcd", 1_000)


def test_weights_are_ignored() -> None:
    assert shares(RoundRobin(), fleet([9, 1]), 100) == {"a": 50, "b": 50}


def test_a_full_server_passes_its_turn_to_the_next_and_moves_nobody_else() -> None:
    servers = fleet([1, 1, 1, 1])
    servers[1] = replace(servers[1], active=servers[1].capacity)
    assert "".join(run(RoundRobin(), servers, range(8))) == "accdaccd"


def test_walks_past_tried_servers_and_around_the_end() -> None:
    pick = Pick(rng=random.Random(1), turn=2, tried=frozenset("cda"))
    assert RoundRobin().choose(fleet([1, 1, 1, 1]), pick).id == "b"


@pytest.mark.parametrize("moment", range(500, 508))
def test_a_server_that_leaves_or_joins_costs_at_most_one_per_change(moment: int) -> None:
    four = fleet([1, 1, 1, 1])
    three = four[:1] + four[2:]
    counts = Counter(run(RoundRobin(), four, range(moment)))
    counts.update(run(RoundRobin(), three, range(moment, 1_001)))
    counts.update(run(RoundRobin(), four, range(1_001, 2_000)))
    for name in "acd":
        fair = moment / 4 + (1_001 - moment) / 3 + 999 / 4
        assert abs(counts[name] - fair) <= 1 + 2  # rounding, and one for each of two changes
    assert abs(counts["b"] - (moment + 999) / 4) <= 1 + 2
