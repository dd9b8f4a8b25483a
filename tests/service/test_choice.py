"""What the balancer is shown, and what is done with its answer."""

import random

import pytest

from balancer import Needs, known_policies, policy_named
from dispatcher.domain.grant import Candidates, Waiting
from dispatcher.domain.lane import Demand
from dispatcher.domain.registry import Registry
from dispatcher.domain.server import Server, ServerHealth
from dispatcher.service.choice import Choice, Opening, affinity, choose
from dispatcher.service.latencies import Latencies
from tests.service.fakes import LANE, a_server, free

FROM_ALL = (Needs.TURN, Needs.NOTHING)


def pick(
    servers: list[Server],
    candidates: Candidates,
    algorithm: str = "round-robin",
    *,
    turn: int = 0,
    tried: set[str] | None = None,
    refused: set[str] | None = None,
    latencies: Latencies | None = None,
    seed: int = 1,
    model: str = "",
) -> Choice | None:
    registry = Registry(1, algorithm, {s.id: s for s in servers}, {LANE: Demand()})
    waiting = Waiting("t1", LANE, turn, candidates, frozenset(tried or ()), model)
    opening = Opening(waiting, 3, "x", "t1", frozenset(refused or ()))
    return choose(registry, opening, candidates, latencies or Latencies(), random.Random(seed))


def fleet(*ids: str) -> list[Server]:
    return [a_server(server_id, seq) for seq, server_id in enumerate(ids, 1)]


def test_round_robin_follows_the_turn_and_walks_past_full_servers() -> None:
    servers = fleet("a", "b", "c")
    assert [pick(servers, free("a", "b", "c"), turn=n) for n in range(4)] == [
        Choice(server_id, None) for server_id in "abca"
    ]
    assert pick(servers, free("a", "c"), turn=1) == Choice("c", None), "a missing server is full when all are told"


def test_turn_policies_may_choose_a_server_that_an_incomplete_answer_left_out() -> None:
    assert pick(fleet("a", "b", "c"), free("a", complete=False), turn=1) == Choice("b", None)


@pytest.mark.parametrize("algorithm", [name for name in known_policies() if policy_named(name).needs in FROM_ALL])
def test_after_a_refusal_only_servers_that_were_told_free_are_chosen(algorithm: str) -> None:
    servers, told = fleet("a", "b", "c", "d"), free("a", "d", complete=False)
    chosen = {pick(servers, told, algorithm, turn=n, refused={"b"}, seed=n) for n in range(20)}
    assert {choice.server_id for choice in chosen if choice} <= {"a", "d"}
    assert None not in chosen
    assert pick(servers, told, algorithm, refused={"a", "d"}) is None, "nobody else is known to be free"


def test_least_connections_sends_the_load_it_saw() -> None:
    servers = fleet("a", "b")
    assert pick(servers, free(("a", 2.0), ("b", 1.0)), "least-connections") == Choice("b", 1.0, ("a", "b"))


@pytest.mark.parametrize("algorithm", ["least-connections", "power-of-two", "peak-ewma"])
def test_policies_that_compare_loads_see_only_servers_with_a_known_load(algorithm: str) -> None:
    servers = fleet("a", "b", "c", "d")
    chosen = {pick(servers, free(("a", 5.0), complete=False), algorithm, seed=seed) for seed in range(20)}
    assert {choice.server_id for choice in chosen if choice} == {"a"}


def test_a_load_is_per_weight() -> None:
    heavy, light = a_server("a", 1, weight=4, max_concurrent=10), a_server("b", 2, max_concurrent=10)
    latencies = Latencies()
    latencies.observe("a", "x", 100, 0)
    latencies.observe("b", "x", 100, 0)
    # 4 running at weight 4 against none at weight 1: cost 100 * 5 / 4 against 100 * 1 / 1
    choice = pick([heavy, light], free(("a", 1.0), ("b", 0.0)), "peak-ewma", latencies=latencies)
    assert choice == Choice("b", None)


def test_peak_ewma_goes_by_the_latency_seen_here() -> None:
    latencies = Latencies()
    latencies.observe("a", "x", 10, 0)
    latencies.observe("b", "x", 900, 0)
    for seed in range(10):
        assert pick(fleet("a", "b"), free("a", "b"), "peak-ewma", latencies=latencies, seed=seed) == Choice("a", None)


@pytest.mark.parametrize("algorithm", known_policies())
def test_every_policy_skips_what_refused_and_what_failed(algorithm: str) -> None:
    servers = fleet("a", "b", "c")
    for seed in range(10):
        choice = pick(servers, free("a", "b", "c"), algorithm, tried={"a"}, refused={"b"}, seed=seed)
        assert choice is not None
        assert choice.server_id == "c"


def test_a_server_that_failed_the_task_is_taken_only_when_there_is_no_other() -> None:
    assert pick(fleet("a", "b"), free("a"), tried={"a"}) is None, "b is full, and still a better place to wait for"
    assert pick(fleet("a"), free("a"), tried={"a"}) == Choice("a", None)
    assert pick(fleet("a"), free("a"), tried={"a"}, refused={"a"}) is None


def test_a_degraded_server_is_taken_only_when_no_healthy_one_is_free() -> None:
    servers = [a_server("a", 1, health=ServerHealth.DEGRADED), a_server("b", 2)]
    assert {pick(servers, free("a", "b"), turn=n) for n in range(4)} == {Choice("b", None)}
    assert pick(servers, free("a")) == Choice("a", None)


def test_servers_out_of_service_are_never_chosen() -> None:
    servers = [
        a_server("a", 1, maintenance=True),
        a_server("b", 2, online=False),
        a_server("c", 3, ejected_until_ms=5),
    ]
    assert pick(servers, free("a", "b", "c")) is None


def test_an_unknown_lane_or_an_empty_offer_is_no_choice() -> None:
    candidates = free("a")
    registry = Registry(1, "round-robin", {"a": a_server("a")}, {})
    opening = Opening(Waiting("t1", LANE, 0, candidates), 3)
    assert choose(registry, opening, candidates, Latencies(), random.Random(1)) is None
    assert pick(fleet("a"), free()) is None


def test_a_policy_that_is_missing_here_is_replaced(caplog: pytest.LogCaptureFixture) -> None:
    assert pick(fleet("a", "b"), free("a", "b"), "somebodys-plugin", turn=1) == Choice("b", None)
    assert "somebodys-plugin" in caplog.text


def test_a_server_told_to_be_free_is_free_whatever_the_cached_maximum_says() -> None:
    assert pick([a_server("a", max_concurrent=1)], free(("a", 3.0))) == Choice("a", None)


def test_affinity_is_the_owners_word_or_the_task_id() -> None:
    assert affinity(b'{"affinity": "model-7"}', "t1") == "model-7"
    assert affinity(b'{"affinity": 7}', "t1") == "t1"
    assert affinity(b"{}", "t1") == "t1"


WARM = frozenset({"m"})


@pytest.mark.parametrize("algorithm", known_policies())
def test_a_free_server_with_the_model_in_memory_goes_first(algorithm: str) -> None:
    servers = [*fleet("a", "b"), a_server("w", 3, models=WARM), a_server("full", 4, models=WARM)]
    told = free("a", "b", ("w", 0.5))
    for turn in range(4):
        chosen = pick(servers, told, algorithm, turn=turn, seed=turn, model="m")
        assert chosen is not None
        assert chosen.server_id == "w"
    others = {pick(servers, told, "random", seed=n, model="other") for n in range(20)}
    assert {choice.server_id for choice in others if choice} == {"a", "b", "w"}


def test_others_are_taken_when_no_warm_one_may_be() -> None:
    warm = a_server("w", 2, models=WARM)
    sick = a_server("s", 3, models=WARM, health=ServerHealth.DEGRADED)
    told = free("a", "w", "s")
    assert pick([*fleet("a"), warm, sick], told, tried={"w"}, model="m") == Choice("a", None)
    assert pick([*fleet("a"), warm, sick], told, refused={"w"}, model="m") == Choice("a", None)
    assert pick([sick, a_server("d", 4, health=ServerHealth.DEGRADED)], free("s", "d"), turn=1, model="m") == Choice(
        "s", None
    )
