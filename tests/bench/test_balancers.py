"""CPU time of one choice, for small and large fleets."""

import random
import time

import pytest

from balancer import Candidate, Pick, known_policies, policy_named

pytestmark = pytest.mark.bench

BUDGET_US = {8: 100, 64: 500, 1000: 10_000}
"""Generous limits that only a change of complexity breaks, in microseconds for each size of fleet."""


@pytest.mark.parametrize("servers", BUDGET_US)
@pytest.mark.parametrize("name", known_policies())
def test_cpu_per_choice(name: str, servers: int) -> None:
    rng = random.Random(1)
    fleet = [
        Candidate(id=f"server-{n}", seq=n, weight=1 + n % 7, active=rng.randrange(4), capacity=4, latency_ms=50.0 + n)
        for n in rng.sample(range(servers), servers)
    ]
    policy, rounds = policy_named(name), 20_000 // servers
    policy.choose(fleet, Pick(rng=rng))  # the first one may build a schedule
    start = time.process_time_ns()
    for turn in range(rounds):
        policy.choose(fleet, Pick(rng=rng, turn=turn, key=str(turn)))
    micros = (time.process_time_ns() - start) / rounds / 1_000
    print(f"\n{name:22} {servers:5} servers {micros:9.1f} us a choice")
    assert micros < BUDGET_US[servers]
