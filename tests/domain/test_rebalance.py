"""Plans for moving models: what holds for any fleet, and what each strategy is for."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.domain.rebalance import MOVES_MOST, Copy, Host, Move, Strategy, after, figure, plan

GB = 1 << 30


@st.composite
def fleets(draw: st.DrawFn) -> tuple[list[Host], list[Copy]]:
    names = [f"s{n}" for n in range(draw(st.integers(1, 6)))]
    hosts = [
        Host(
            name,
            draw(st.integers(0, 40)),
            draw(st.integers(0, 10)),
            draw(st.integers(1, 8)),
            draw(st.floats(0, 20)),
            draw(st.floats(0.1, 10)),
            draw(st.none() | st.frozensets(st.sampled_from("abcdef"))),
        )
        for name in names
    ]
    held = draw(st.sets(st.tuples(st.sampled_from("abcdef"), st.sampled_from([*names, "gone"])), max_size=12))
    copies = [Copy(m, s, draw(st.integers(0, 20)), draw(st.floats(0, 50))) for m, s in sorted(held)]
    return hosts, copies


@settings(max_examples=150, deadline=None)
@given(fleets(), st.sampled_from(Strategy))
def test_for_any_fleet(fleet: tuple[list[Host], list[Copy]], strategy: Strategy) -> None:
    hosts, copies = fleet
    moves = plan(strategy, hosts, copies)
    assert moves == plan(strategy, hosts[::-1], copies[::-1])  # by the fleet alone
    assert len(moves) <= MOVES_MOST
    check_each_step(hosts, copies, moves)
    last = figure(strategy, hosts, copies)
    for n in range(1, len(moves) + 1):
        now = figure(strategy, hosts, after(copies, moves[:n]))
        assert now < last, "every move is worth it"
        last = now


def check_each_step(hosts: list[Host], copies: list[Copy], moves: list[Move]) -> None:
    """Load, then unload: no memory overfull, no model twice on a worker, nothing taken from where it is not."""
    room = {host.server_id: host.memory - host.taken for host in hosts}
    where = {(copy.model, copy.server_id): copy.memory for copy in copies}
    for (_, server_id), memory in where.items():
        if server_id in room:
            room[server_id] -= memory
    can = {host.server_id: host.models for host in hosts}
    for move in moves:
        has = can[move.target]
        assert has is None or move.model in has
        assert where[move.model, move.source] == move.memory > 0
        assert (move.model, move.target) not in where
        room[move.target] -= move.memory
        assert room[move.target] >= 0
        where[move.model, move.target] = where.pop((move.model, move.source))
        room[move.source] += move.memory


@settings(max_examples=50, deadline=None)
@given(fleets(), st.sampled_from(Strategy))
def test_a_second_plan_finds_little(fleet: tuple[list[Host], list[Copy]], strategy: Strategy) -> None:
    hosts, copies = fleet
    for _ in range(len(copies) + 20):  # moves of moved copies, until nothing is worth it
        moves = plan(strategy, hosts, copies)
        if not moves:
            break
        copies = after(copies, moves)
    assert plan(strategy, hosts, copies) == []


def test_memory_is_filled_evenly() -> None:
    hosts = [Host("a", 24 * GB), Host("b", 24 * GB)]
    copies = [Copy("llama", "a", 12 * GB), Copy("sd", "a", 8 * GB)]
    assert plan(Strategy.MEMORY, hosts, copies) == [Move("llama", "a", "b", 12 * GB)]
    assert plan(Strategy.MEMORY, hosts, [Copy("llama", "a", 12 * GB), Copy("sd", "b", 8 * GB)]) == []


def test_what_does_not_fit_stays() -> None:
    copies = [Copy("big", "a", 12 * GB), Copy("small", "a", 2 * GB)]
    assert plan(Strategy.MEMORY, [Host("a", 24 * GB), Host("b", 8 * GB, taken=5 * GB)], copies) == []
    assert plan(Strategy.MEMORY, [Host("a", 24 * GB), Host("b", 8 * GB, taken=7 * GB)], copies) == []
    assert plan(Strategy.MEMORY, [Host("a", 24 * GB), Host("b", 8 * GB)], copies) == [Move("small", "a", "b", 2 * GB)]


def test_use_is_spread_over_the_slots() -> None:
    hosts = [Host("a", 10, slots=4), Host("b", 10, slots=4)]
    copies = [Copy("hot", "a", 1, use=30), Copy("warm", "a", 1, use=20), Copy("cold", "b", 1, use=1)]
    assert plan(Strategy.LOAD, hosts, copies) == [Move("warm", "a", "b", 1)]


def test_a_faster_worker_takes_more() -> None:
    hosts = [Host("fast", 10, speed=8), Host("slow", 10)]
    copies = [Copy("a", "fast", 1, use=1), Copy("b", "slow", 1, use=1)]
    assert plan(Strategy.LOAD, hosts, copies) == []
    assert plan(Strategy.PERFORMANCE, hosts, copies) == [Move("b", "slow", "fast", 1)]


@pytest.mark.parametrize("strategy", Strategy)
def test_an_empty_fleet_has_no_plan(strategy: Strategy) -> None:
    assert (plan(strategy, [], []), figure(strategy, [], [])) == ([], 0)
