"""The faster of two, by a latency average that believes bad news at once."""

import math
from collections.abc import Sequence
from typing import ClassVar

from balancer.candidate import Candidate
from balancer.pick import Pick
from balancer.policy import Needs
from balancer.power_of_two import draw_two

DEFAULT_LATENCY_MS = 1000.0
MIN_LATENCY_MS = 0.001


def peak_ewma_update(old: float | None, sample_ms: float, dt_ms: float, tau_ms: float) -> float:
    """The smoothed latency in milliseconds after one more sample.

    A sample above the average replaces it; a lower one pulls it down with time constant `tau_ms` > 0, given `dt_ms`
    >= 0 since the last sample. `old` None: the first sample. Raises ValueError for tau_ms <= 0. Source: `PeakEwma` of
    Twitter's Finagle.
    """
    if tau_ms <= 0:
        raise ValueError(f"tau_ms must be positive, not {tau_ms}")
    if old is None or sample_ms > old:
        return sample_ms
    kept = math.exp(-max(dt_ms, 0.0) / tau_ms)
    return old * kept + sample_ms * (1 - kept)


class PeakEwma:
    """Draw two distinct available servers, take the one with less latency x (active + 1) / weight.

    A server without a latency counts as fast as the fastest known one, so that it gets work and is measured, while
    its own active requests keep it from being flooded; without any known latency all count DEFAULT_LATENCY_MS.
    Latencies are floored at MIN_LATENCY_MS, so that load still decides between instant servers. Feed failures in as
    high latencies: a server that fails fast would look the fastest otherwise.
    """

    name: ClassVar[str] = "peak-ewma"
    needs: ClassVar[Needs] = Needs.TWO

    def choose(self, candidates: Sequence[Candidate], pick: Pick) -> Candidate:
        drawn = draw_two(candidates, pick)
        known = (candidate.latency_ms for candidate in candidates if candidate.latency_ms is not None)
        unknown = min(known, default=DEFAULT_LATENCY_MS)

        def cost(candidate: Candidate) -> float:
            latency = unknown if candidate.latency_ms is None else candidate.latency_ms
            return max(latency, MIN_LATENCY_MS) * (candidate.active + 1) / candidate.weight

        return min(drawn, key=cost)  # min keeps the first of equals, and the draw's order is random
