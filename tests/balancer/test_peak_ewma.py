"""The average's reaction, and choices by cost."""

import math
from dataclasses import replace

import pytest

from balancer import Candidate, peak_ewma_update
from balancer.peak_ewma import PeakEwma
from tests.balancer.fleets import fleet, shares, within_4_sigma


def measured(
    latencies: list[float | None], active: list[int] | None = None, weights: list[int] | None = None
) -> list[Candidate]:
    servers = fleet(weights or [1] * len(latencies))
    busy = active or [0] * len(latencies)
    return [replace(s, latency_ms=ms, active=n) for s, ms, n in zip(servers, latencies, busy, strict=True)]


def test_the_first_sample_is_the_average() -> None:
    assert peak_ewma_update(None, 80, 0, 1_000) == 80


def test_a_peak_counts_at_once() -> None:
    assert peak_ewma_update(80, 900, 1, 1_000) == 900


def test_a_better_sample_counts_by_the_time_passed() -> None:
    assert peak_ewma_update(900, 100, 0, 1_000) == 900
    assert peak_ewma_update(900, 100, 1_000, 1_000) == pytest.approx(100 + 800 / math.e)
    assert peak_ewma_update(900, 100, 1e9, 1_000) == pytest.approx(100)


def test_a_clock_that_went_back_changes_nothing() -> None:
    assert peak_ewma_update(900, 100, -50, 1_000) == 900


@pytest.mark.parametrize("tau", [0, -1])
def test_the_time_constant_must_be_positive(tau: float) -> None:
    with pytest.raises(ValueError, match="tau_ms must be positive"):
        peak_ewma_update(None, 1, 1, tau)


def test_one_slow_answer_drives_the_traffic_away_and_good_ones_bring_it_back() -> None:
    average = peak_ewma_update(100, 2_000, 10, 10_000)
    assert shares(PeakEwma(), measured([average, 100], [0, 9]), 50) == {"b": 50}  # 2,000 x 1 against 100 x 10
    for _ in range(40):
        average = peak_ewma_update(average, 100, 1_000, 10_000)
    assert shares(PeakEwma(), measured([average, 100], [0, 9]), 50) == {"a": 50}


def test_cost_is_latency_times_open_requests_per_weight() -> None:
    assert shares(PeakEwma(), measured([100, 250], [2, 0]), 50) == {"b": 50}  # 300 against 250
    assert shares(PeakEwma(), measured([100, 100], [3, 1], [4, 1]), 50) == {"a": 50}  # 100 against 200


def test_an_unknown_server_counts_as_the_fastest_known_one() -> None:
    # a beats b and ties with c, c beats b
    assert within_4_sigma(shares(PeakEwma(), measured([None, 200, 100]), 10_000), {"a": 0.5, "c": 0.5})
    assert shares(PeakEwma(), measured([None, 100], [1, 0]), 50) == {"b": 50}


def test_instant_servers_are_still_told_apart_by_load() -> None:
    assert shares(PeakEwma(), measured([0, 0], [3, 0]), 50) == {"b": 50}
