"""Which server a task is to be tried on: the balancer asked with what the store told."""

import json
import logging
import random
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass

from balancer import BalancerError, Candidate, Needs, NoCandidate, Pick, Policy, policy_named
from dispatcher.domain.grant import Candidates, FreeServer, Waiting
from dispatcher.domain.registry import Registry
from dispatcher.domain.server import Server, ServerHealth
from dispatcher.service.latencies import Latencies

log = logging.getLogger(__name__)

FALLBACK = "round-robin"


@dataclass(frozen=True, slots=True)
class Opening:
    """A queued task that this gateway may place on a server now.

    `refused` are servers that said no this time; `waiting.tried` those that failed the task before. `others` is how
    many more servers may be asked after one that is busy or out of reach.
    """

    waiting: Waiting
    others: int
    task_type: str = ""
    key: str = ""  # affinity
    refused: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Choice:
    """`expected_load` goes into the claim when the policy went by loads, so that stale ones are noticed; `instead` are
    the servers among which the store may then choose itself, in random order."""

    server_id: str
    expected_load: float | None = None
    instead: tuple[str, ...] = ()


def affinity(spec: bytes, task_id: str) -> str:
    """What rendezvous hashing goes by: the text `affinity` of the task's spec, else its id."""
    if b'"affinity"' not in spec:
        return task_id
    given = json.loads(spec).get("affinity")
    return given if isinstance(given, str) and given else task_id


def choose(
    registry: Registry,
    opening: Opening,
    candidates: Candidates,
    latencies: Latencies,
    rng: random.Random,
) -> Choice | None:
    """The policy's choice for this task, or None when no fitting server is free.

    A degraded server is taken only when no healthy one is free, and one that failed this task before only when no
    other server of its lane is there. Among those that are left, the free ones with the task's model in memory go
    before the others.
    """
    if opening.waiting.lane not in registry.demands:
        return None
    policy = _policy(registry.algorithm)
    fitting = registry.fitting(opening.waiting.lane)
    free = {server.server_id: server for server in candidates.free}
    healthy = [server for server in fitting if server.health is ServerHealth.HEALTHY]
    failed = opening.waiting.tried
    rounds = [(healthy, failed), (fitting, failed)]
    if all(server.id in failed for server in fitting):
        rounds.append((fitting, frozenset()))
    for servers, avoided in _warm_first(rounds, opening.waiting.model, free.keys()):
        seen = _seen(policy, servers, candidates, opening, latencies)
        pick = Pick(rng=rng, turn=opening.waiting.turn, key=opening.key, tried=opening.refused | avoided)
        try:
            chosen = policy.choose(seen, pick)
        except NoCandidate:
            continue
        if policy.needs is not Needs.LEAST:
            return Choice(chosen.id)
        accepted = [candidate.id for candidate in seen if pick.accepts(candidate)]
        return Choice(chosen.id, free[chosen.id].load, tuple(rng.sample(accepted, len(accepted))))
    return None


Round = tuple[Sequence[Server], frozenset[str]]  # servers to choose among, those of them that are avoided


def _warm_first(rounds: Sequence[Round], model: str, free: Set[str]) -> Iterator[Round]:
    """Before each round one with only those free servers that have the model in memory."""
    for servers, avoided in rounds:
        if model and (warm := [server for server in servers if server.id in free and model in server.models]):
            yield warm, avoided
        yield servers, avoided


def _policy(name: str) -> Policy:
    try:
        return policy_named(name)
    except BalancerError:  # a plugin that only another gateway has
        log.warning("balancing policy %s is not usable here, %s is used instead", name, FALLBACK)
        return policy_named(FALLBACK)


def _seen(
    policy: Policy, servers: Iterable[Server], candidates: Candidates, opening: Opening, latencies: Latencies
) -> list[Candidate]:
    """The servers as the policy is to see them.

    A server without a told load is full when the store told all free ones. Otherwise it is left out for policies
    that compare loads, and counts as free for the others: the claim decides. Once a server has refused it counts as
    full there too, lest every claim of a large busy fleet goes to a full server while free ones are known.
    """
    told = {server.server_id: server for server in candidates.free}
    by_load = policy.needs in (Needs.LEAST, Needs.TWO)
    if by_load and not candidates.complete:
        servers = [server for server in servers if server.id in told]
    others_full = candidates.complete or bool(opening.refused)
    return [_candidate(s, told.get(s.id), others_full, latencies.of(s.id, opening.task_type)) for s in servers]


def _candidate(server: Server, told: FreeServer | None, full: bool, latency_ms: float | None) -> Candidate:
    capacity = server.max_concurrent
    active = capacity if full else 0
    if told is not None:
        active = min(round(told.load * server.weight), capacity - 1)  # free, whatever a stale maximum says
    return Candidate(
        id=server.id,
        seq=server.seq,
        weight=server.weight,
        active=active,
        capacity=capacity,
        latency_ms=server.latency_ms if latency_ms is None else latency_ms,
    )
