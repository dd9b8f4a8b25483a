"""Arrivals, servers, gateways and the event loop. Times are in units of the mean job size on a server of speed 1."""

import csv
import math
import random
import sys
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from heapq import heappop, heappush

from balancer.candidate import Candidate
from balancer.errors import NoCandidate
from balancer.peak_ewma import peak_ewma_update
from balancer.pick import Pick
from balancer.policy import Policy

KEYS = 1000
"""How many different affinity keys a synthetic trace has."""
LATENCY_TAU = 10.0
"""Time constant of the latencies that the policies see."""
UNIT_MS = 1000.0


class Binding(StrEnum):
    """When a job is tied to its server."""

    EARLY = "early"
    """On arrival: each gateway knows only its own open jobs, a busy server queues (an ordinary reverse proxy)."""
    LATE = "late"
    """When a slot is free: all gateways share exact counts and one queue (this dispatcher)."""


@dataclass(frozen=True, slots=True)
class Server:
    """`slots` >= 1 jobs run at once, each at `speed` > 0; `weight` >= 1 is what the policies are told."""

    slots: int = 1
    speed: float = 1.0
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Job:
    """`size` > 0 is the service time at speed 1."""

    arrival: float
    size: float
    key: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """`sojourns`: wait plus service of each job, in order of arrival. `shares`: jobs served by each server."""

    sojourns: tuple[float, ...]
    shares: tuple[int, ...]

    def mean(self) -> float:
        return sum(self.sojourns) / len(self.sojourns)

    def percentile(self, fraction: float) -> float:
        """The nearest-rank percentile, 0 <= fraction <= 1."""
        ranked = sorted(self.sojourns)
        return ranked[max(math.ceil(fraction * len(ranked)), 1) - 1]

    def after_warm_up(self, fraction: float = 0.2) -> "Result":
        """Without the first jobs, which found an empty fleet."""
        return Result(self.sojourns[int(fraction * len(self.sojourns)) :], self.shares)


SIZES: Mapping[str, Callable[[random.Random], float]] = {
    "fixed": lambda rng: 1.0,
    "exp": lambda rng: rng.expovariate(1.0),
    "bimodal": lambda rng: (20.0 if rng.random() < 0.1 else 1.0) / 2.9,
}
"""Job sizes of mean 1: all equal, exponential, or 90 % short and 10 % twenty times as long."""


def poisson(count: int, rate: float, size: Callable[[random.Random], float], rng: random.Random) -> list[Job]:
    """`count` jobs that arrive independently of each other, `rate` in each unit of time on average."""
    jobs, now = [], 0.0
    for _ in range(count):
        now += rng.expovariate(rate)
        jobs.append(Job(now, size(rng), f"key-{rng.randrange(KEYS)}"))
    return jobs


def read_trace(lines: Iterable[str]) -> list[Job]:
    """A recorded trace: CSV without a header, arrival, size and optionally a key.

    Raises ValueError for an empty trace, and for a line of another form or with a size that isn't positive and finite.
    """
    jobs = []
    for number, row in enumerate(csv.reader(lines), 1):
        try:
            job = Job(float(row[0]), float(row[1]), row[2] if len(row) > 2 else "")
        except (IndexError, ValueError) as error:
            raise ValueError(f"line {number}: expected `arrival,size[,key]`, got {','.join(row)!r}") from error
        if not (math.isfinite(job.arrival) and 0 < job.size < math.inf):
            raise ValueError(f"line {number}: arrival must be finite, size positive and finite")
        jobs.append(job)
    if not jobs:
        raise ValueError("the trace is empty")
    return sorted(jobs, key=lambda job: job.arrival)


def simulate(
    policy: Policy,
    fleet: Sequence[Server],
    jobs: Sequence[Job],
    rng: random.Random,
    *,
    binding: Binding = Binding.LATE,
    gateways: int = 1,
    watch: Callable[[int, Sequence[int]], None] | None = None,
) -> Result:
    """Run `jobs` (by arrival) through `gateways`, each arrival at a random one.

    `watch(server, open)` is called after each assignment with the open jobs of every server over all gateways. With
    late binding the number of gateways makes no difference: they share what they know.
    """
    run = _Run(policy, fleet, rng, binding, gateways, watch)
    for number, job in enumerate(jobs):
        run.finish_until(job.arrival)
        run.arrive(number, job)
    run.finish_until(math.inf)
    return Result(tuple(run.ended[number] - job.arrival for number, job in enumerate(jobs)), tuple(run.served))


class _View:
    """What a gateway knows."""

    def __init__(self, servers: int) -> None:
        self.turn = 0
        self.open = [0] * servers
        self.latency: list[float | None] = [None] * servers
        self.measured = [0.0] * servers

    def learn(self, server: int, sample: float, now: float) -> None:
        elapsed = (now - self.measured[server]) * UNIT_MS
        self.latency[server] = peak_ewma_update(self.latency[server], sample * UNIT_MS, elapsed, LATENCY_TAU * UNIT_MS)
        self.measured[server] = now


@dataclass(slots=True)
class _Visit:
    """One job on its way."""

    number: int
    job: Job
    view: _View
    assigned: float = 0.0


class _Run:
    def __init__(
        self,
        policy: Policy,
        fleet: Sequence[Server],
        rng: random.Random,
        binding: Binding,
        gateways: int,
        watch: Callable[[int, Sequence[int]], None] | None,
    ) -> None:
        self.policy, self.fleet, self.rng, self.watch = policy, fleet, rng, watch
        self.late = binding is Binding.LATE
        self.views = [_View(len(fleet)) for _ in range(1 if self.late else gateways)]
        self.shared: deque[_Visit] = deque()  # late binding: the one queue
        self.queues: list[deque[_Visit]] = [deque() for _ in fleet]  # early binding: one for each server
        self.running = [0] * len(fleet)
        self.served = [0] * len(fleet)
        self.ended: dict[int, float] = {}
        self.events: list[tuple[float, int, int, _Visit]] = []  # (end, job number as tie-break, server, visit)

    def arrive(self, number: int, job: Job) -> None:
        visit = _Visit(number, job, self.rng.choice(self.views))
        try:
            server = self.choose(visit)
        except NoCandidate:
            self.shared.append(visit)
        else:
            self.assign(visit, server, job.arrival)

    def choose(self, visit: _Visit) -> int:
        view = visit.view
        candidates = [
            Candidate(
                id=f"server-{index}",
                seq=index,
                weight=server.weight,
                active=view.open[index],
                capacity=server.slots if self.late else sys.maxsize,
                latency_ms=view.latency[index],
            )
            for index, server in enumerate(self.fleet)
        ]
        pick = Pick(rng=self.rng, turn=view.turn, key=visit.job.key)
        view.turn += 1
        return self.policy.choose(candidates, pick).seq

    def assign(self, visit: _Visit, server: int, now: float) -> None:
        visit.view.open[server] += 1
        visit.assigned = now
        if self.running[server] < self.fleet[server].slots:
            self.start(visit, server, now)
        else:
            self.queues[server].append(visit)
        if self.watch:
            self.watch(server, [sum(view.open[index] for view in self.views) for index in range(len(self.fleet))])

    def start(self, visit: _Visit, server: int, now: float) -> None:
        self.running[server] += 1
        heappush(self.events, (now + visit.job.size / self.fleet[server].speed, visit.number, server, visit))

    def finish_until(self, limit: float) -> None:
        """Handle every end up to `limit`; each makes room for a waiting job."""
        while self.events and self.events[0][0] <= limit:
            now, number, server, visit = heappop(self.events)
            self.ended[number] = now
            self.running[server] -= 1
            self.served[server] += 1
            visit.view.open[server] -= 1
            visit.view.learn(server, now - visit.assigned, now)
            if self.shared:
                self.assign(self.shared.popleft(), server, now)
            elif self.queues[server]:
                self.start(self.queues[server].popleft(), server, now)
