"""Balancing policies: pure functions from a snapshot of servers to one of them.

>>> import random
>>> from balancer import Candidate, Pick, policy_named
>>> servers = [Candidate(id="a", seq=1, active=1, capacity=4), Candidate(id="b", seq=2, active=0, capacity=4)]
>>> policy_named("least-connections").choose(servers, Pick(rng=random.Random(1))).id
'b'

Standard library only; no I/O, no clock, no async: time and chance are arguments.
"""

from balancer.candidate import Candidate
from balancer.errors import BalancerError, BrokenPlugin, NoCandidate, UnknownPolicy
from balancer.peak_ewma import peak_ewma_update
from balancer.pick import Pick
from balancer.policy import Needs, Policy
from balancer.registry import known_policies, policy_named

__all__ = [
    "BalancerError",
    "BrokenPlugin",
    "Candidate",
    "Needs",
    "NoCandidate",
    "Pick",
    "Policy",
    "UnknownPolicy",
    "known_policies",
    "peak_ewma_update",
    "policy_named",
]
