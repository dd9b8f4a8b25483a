"""Lanes, offers, servers and the registry."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.domain.lane import Demand, Offer, fits, fitting
from dispatcher.domain.principal import Owner
from dispatcher.domain.registry import Registry
from dispatcher.domain.server import Endpoints, NewServer, Server, ServerHealth, ServerStatus
from dispatcher.domain.task import AttemptStatus, Task
from dispatcher.domain.transitions import TERMINAL, TaskState

words = st.frozensets(st.sampled_from(["cuda", "fp16", "video", "llm"]))
demands = st.builds(Demand, st.sampled_from(["predict", "other"]), words, st.none() | st.sampled_from(["eu", "us"]))
groups = st.frozensets(st.sampled_from(["eu", "us"]))
offers = st.builds(Offer, st.just(frozenset({"predict"})), words, groups)

SERVER = Server("a", 1, "native", "a", Endpoints("http://a/"), Offer(), 0, 0, sealed_key=b"secret")


@given(demands, demands)
def test_equal_demands_share_a_lane_and_others_do_not(one: Demand, two: Demand) -> None:
    assert (one == two) == (one.lane == two.lane)


@given(offers, offers)
def test_equal_offers_share_a_class_and_others_do_not(one: Offer, two: Offer) -> None:
    assert (one == two) == (one.server_class == two.server_class)


@given(demands, offers)
def test_demands_and_offers_survive_json(demand: Demand, offer: Offer) -> None:
    assert Demand.from_json(demand.to_json()) == demand
    assert Offer.from_json(offer.to_json()) == offer


def test_lane_ids_are_the_same_on_every_gateway() -> None:
    assert Demand().lane == "f102b8de05ffd66f"


@pytest.mark.parametrize(
    ("demand", "offer", "fit"),
    [
        (Demand(), Offer(), True),
        (Demand("predict", frozenset({"cuda"})), Offer(), False),
        (Demand("predict", frozenset({"cuda"})), Offer(capabilities=frozenset({"cuda", "fp16"})), True),
        (Demand("predict", frozenset({"cuda", "llm"})), Offer(capabilities=frozenset({"cuda", "fp16"})), False),
        (Demand(group="eu"), Offer(), False),
        (Demand(group="eu"), Offer(groups=frozenset({"eu", "us"})), True),
        (Demand(), Offer(groups=frozenset({"eu"})), True),
        (Demand("other"), Offer(), False),
    ],
)
def test_a_server_fits_when_it_has_all_that_is_asked(demand: Demand, offer: Offer, fit: bool) -> None:
    assert fits(demand, offer) is fit
    assert fitting(demand, [("a", offer), ("b", Offer())]) == [
        name for name, one in (("a", offer), ("b", Offer())) if fits(demand, one)
    ]


@pytest.mark.parametrize(
    ("fields", "status", "eligible"),
    [
        ({}, ServerStatus.ONLINE, True),
        ({"online": False}, ServerStatus.OFFLINE, False),
        ({"health": ServerHealth.DEGRADED}, ServerStatus.DEGRADED, True),
        ({"health": ServerHealth.UNHEALTHY}, ServerStatus.DEGRADED, True),
        ({"maintenance": True}, ServerStatus.MAINTENANCE, False),
        ({"maintenance": True, "online": False}, ServerStatus.MAINTENANCE, False),
        ({"ejected_until_ms": 9}, ServerStatus.ONLINE, False),
    ],
)
def test_a_servers_status_is_derived(fields: dict[str, object], status: ServerStatus, eligible: bool) -> None:
    server = replace(SERVER, **fields)  # type: ignore[arg-type]
    assert (server.status, server.eligible) == (status, eligible)


def test_load_is_a_share_of_the_slots() -> None:
    assert replace(SERVER, active=6, max_concurrent=10).load == 0.6
    assert replace(SERVER, active=6, max_concurrent=4).load == 1.5


def test_a_sealed_key_is_in_no_repr() -> None:
    assert "secret" not in repr(SERVER)
    new = NewServer("a", "native", "a", Endpoints("http://a/"), Offer(), sealed_key=b"secret")
    assert "secret" not in repr(new)


def test_the_registry_gives_eligible_fitting_servers_by_sequence() -> None:
    cuda = Demand(capabilities=frozenset({"cuda"}))
    offer = Offer(capabilities=frozenset({"cuda"}))
    servers = [
        replace(SERVER, id="late", seq=9, offer=offer),
        replace(SERVER, id="early", seq=2, offer=offer),
        replace(SERVER, id="plain", seq=1),
        replace(SERVER, id="off", seq=3, offer=offer, online=False),
    ]
    registry = Registry(5, "random", {s.id: s for s in servers}, {cuda.lane: cuda})
    assert [s.id for s in registry.fitting(cuda.lane)] == ["early", "late"]
    assert registry.fitting(cuda.lane) is registry.fitting(cuda.lane), "matched once"
    with pytest.raises(KeyError):
        registry.fitting("unknown")


def test_a_task_has_ended_in_the_terminal_states_only() -> None:
    for state in TaskState:
        task = Task("t", "native", Owner("d", "s"), "x", "l", 0, state, 0, 0, 1)
        assert task.ended is (state in TERMINAL)
    assert AttemptStatus.RUNNING == "running"
