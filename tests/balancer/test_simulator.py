"""The simulator against queueing theory, and what it shows about the policies."""

import math
import random
from collections.abc import Sequence

import pytest

from balancer import known_policies, policy_named
from balancer.simulator import SIZES, Binding, Job, Result, Server, poisson, read_trace, simulate

EIGHT = [Server()] * 8


def exponential(count: int, rate: float, seed: int = 7) -> list[Job]:
    return poisson(count, rate, SIZES["exp"], random.Random(seed))


def run(name: str, fleet: Sequence[Server], jobs: list[Job], binding: Binding, gateways: int = 1) -> Result:
    return simulate(policy_named(name), fleet, jobs, random.Random(1), binding=binding, gateways=gateways)


@pytest.mark.parametrize("binding", Binding)
def test_one_server_is_within_10_percent_of_m_m_1(binding: Binding) -> None:
    load = 0.7
    mean = run("round-robin", [Server()], exponential(40_000, load), binding).after_warm_up().mean()
    assert mean == pytest.approx(1 / (1 - load), rel=0.1)


def test_a_shared_queue_is_within_10_percent_of_m_m_4() -> None:
    load, servers = 0.8, 4
    offered = load * servers
    terms = [offered**k / math.factorial(k) for k in range(servers)]
    last = offered**servers / math.factorial(servers) / (1 - load)
    wait = last / (sum(terms) + last) / (servers - offered)  # Erlang C
    result = run("random", [Server(slots=servers)], exponential(40_000, offered), Binding.LATE)
    assert result.after_warm_up().mean() == pytest.approx(1 + wait, rel=0.1)


@pytest.mark.parametrize("binding", Binding)
def test_jobs_are_served_in_order_without_loss(binding: Binding) -> None:
    jobs = [Job(arrival=0.0, size=2.0), Job(arrival=0.5, size=1.0), Job(arrival=10.0, size=4.0)]
    result = run("round-robin", [Server(speed=2.0)], jobs, binding)
    assert result.sojourns == (1.0, 1.0, 2.0)  # the second waits half a unit for the first
    assert result.shares == (3,)


def test_least_connections_beats_round_robin_at_the_tail() -> None:
    jobs = exponential(10_000, 0.85 * 8)
    slow = run("round-robin", EIGHT, jobs, Binding.EARLY).after_warm_up().percentile(0.99)
    fast = run("least-connections", EIGHT, jobs, Binding.EARLY).after_warm_up().percentile(0.99)
    assert fast < 0.6 * slow


def test_a_shared_queue_beats_gateways_on_their_own() -> None:
    jobs = exponential(10_000, 0.85 * 8)
    alone = run("least-connections", EIGHT, jobs, Binding.EARLY, gateways=16).after_warm_up().percentile(0.99)
    shared = run("least-connections", EIGHT, jobs, Binding.LATE, gateways=16).after_warm_up().percentile(0.99)
    assert shared < 0.7 * alone


def test_round_robin_spends_its_turns_evenly() -> None:
    assert run("round-robin", [Server(slots=99)] * 4, exponential(4_000, 2.0), Binding.LATE).shares == (1_000,) * 4


def most_above_the_fair_share(name: str, gateways: int) -> int:
    """How far one slow server of four ever got above ceil(open / n) when it was given a job."""
    fleet = [Server(slots=64, speed=0.1)] + [Server(slots=64)] * 3
    above: list[int] = []

    def watch(server: int, open_jobs: Sequence[int]) -> None:
        if server == 0:
            above.append(open_jobs[0] - math.ceil(sum(open_jobs) / len(fleet)))

    simulate(policy_named(name), fleet, exponential(5_000, 8.0), random.Random(1), gateways=gateways, watch=watch)
    assert len(above) > 100
    return max(above)


@pytest.mark.parametrize("gateways", [1, 3])
def test_least_connections_does_not_feed_a_server_that_is_10_times_slower(gateways: int) -> None:
    # with counts that all gateways share the bound is the fair share itself; `gateways` is what real snapshots may lag
    assert most_above_the_fair_share("least-connections", gateways) <= 0
    assert most_above_the_fair_share("round-robin", gateways) > gateways


@pytest.mark.parametrize("binding", Binding)
@pytest.mark.parametrize("name", known_policies())
def test_every_policy_runs_and_repeats_itself(name: str, binding: Binding) -> None:
    fleet = [Server(slots=2, speed=1.0, weight=1), Server(slots=1, speed=2.0, weight=2)]
    jobs = exponential(300, 3.0)
    first = run(name, fleet, jobs, binding, gateways=2)
    assert sum(first.shares) == 300
    assert run(name, fleet, jobs, binding, gateways=2) == first


def test_peak_ewma_learns_which_server_is_slow() -> None:
    fleet = [Server(slots=4, speed=0.2), Server(slots=4), Server(slots=4), Server(slots=4)]
    jobs = exponential(5_000, 4.0)
    assert (
        run("peak-ewma", fleet, jobs, Binding.LATE).shares[0] < 0.5 * run("random", fleet, jobs, Binding.LATE).shares[0]
    )


@pytest.mark.parametrize("sizes", SIZES)
def test_sizes_have_mean_1(sizes: str) -> None:
    rng = random.Random(3)
    assert sum(SIZES[sizes](rng) for _ in range(50_000)) / 50_000 == pytest.approx(1.0, rel=0.03)


def test_percentiles_are_nearest_rank() -> None:
    result = Result(tuple(float(number) for number in range(100, 0, -1)), ())
    assert [result.percentile(fraction) for fraction in (0, 0.5, 0.99, 1)] == [1, 50, 99, 100]


def test_warm_up_is_dropped_from_the_front() -> None:
    assert Result((9.0, 1.0, 2.0, 3.0, 4.0), (5,)).after_warm_up().sojourns == (1.0, 2.0, 3.0, 4.0)


def test_a_recorded_trace_is_sorted_by_arrival() -> None:
    assert read_trace(["2.5,1\n", "1,0.5,user-1\n"]) == [Job(1.0, 0.5, "user-1"), Job(2.5, 1.0)]


@pytest.mark.parametrize(
    ("lines", "message"),
    [(["1,2", "x,1"], "line 2"), (["1"], "line 1"), (["1,0"], "positive"), (["nan,1"], "finite"), ([], "empty")],
)
def test_a_bad_trace_is_refused(lines: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_trace(lines)
