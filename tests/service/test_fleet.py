"""Servers, the policy and the figures."""

from typing import Any

import pytest

from balancer import known_policies
from dispatcher.domain.clock import ManualClock
from dispatcher.domain.errors import Invalid, NotFound
from dispatcher.domain.lane import Offer
from dispatcher.domain.principal import Principal, Role
from dispatcher.domain.server import Endpoints, NewServer, ServerHealth, ServerStatus
from dispatcher.domain.stats import Counts, DayStats
from dispatcher.domain.transitions import TaskState
from dispatcher.service.balancing import Balancing
from dispatcher.service.servers import Servers
from dispatcher.service.stats import Stats
from tests.service.fakes import ADMIN, ANN, OWNER, FakeForwarder, FakeServers, FakeStats, a_server


def fleet(*servers: Any) -> tuple[Servers, FakeServers, FakeForwarder]:
    store, forwarder = FakeServers(*servers), FakeForwarder()
    return Servers(store, FakeStats(), forwarder), store, forwarder


async def test_servers_are_filtered_by_status_and_group() -> None:
    servers, _, _ = fleet(
        a_server("a"),
        a_server("b", 2, online=False),
        a_server("c", 3, health=ServerHealth.UNHEALTHY),
        a_server("d", 4, maintenance=True, online=False),
    )
    by_status = {status: [s.id for s in await servers.all(status)] for status in ServerStatus}
    assert by_status == {"online": ["a"], "offline": ["b"], "degraded": ["c"], "maintenance": ["d"]}
    assert len(await servers.all()) == 4
    grouped = a_server("g", 5)
    object.__setattr__(grouped, "offer", Offer(groups=frozenset({"eu"})))
    servers, _, _ = fleet(a_server("a"), grouped)
    assert [s.id for s in await servers.all(group="eu")] == ["g"]


async def test_each_verb_reaches_the_store() -> None:
    servers, store, _ = fleet(a_server("a"))
    new = NewServer("s1", "native", "one", Endpoints("http://s1/"), Offer())
    assert (await servers.register(new)).id == "s1"
    assert (await servers.get("a")).id == "a"
    assert (await servers.set_maintenance("a", True, "disk")).reason == "disk"
    heartbeat = {"health": ServerHealth.HEALTHY, "active": 2, "metrics": "{}", "boot_id": "b", "running": ["t1"]}
    await servers.heartbeat("a", **heartbeat)  # type: ignore[arg-type]
    assert store.asked("heartbeat") == [{"server_id": "a"} | heartbeat]
    assert (await servers.metrics("a"))[1].completed == 3
    await servers.unregister("a")
    assert store.asked("remove") == [{"server_id": "a"}]


async def test_an_impossible_id_never_reaches_the_store() -> None:
    servers, store, _ = fleet()
    with pytest.raises(NotFound, match="Server not found: a b"):
        await servers.get("a b")
    with pytest.raises(NotFound):
        await servers.unregister("x" * 65)
    assert store.calls == []


async def test_probes_are_recorded_and_a_server_that_left_is_skipped() -> None:
    servers, store, forwarder = fleet(a_server("a"), a_server("b", 2))
    forwarder.script("probe", lambda call: call["server"].id == "a", lambda call: call["server"].id == "a")
    store.script("get", NotFound("gone"))
    await servers.probe(["left", "a", "b"])
    assert sorted((p["server_id"], p["ok"]) for p in store.asked("probed")) == [("a", True), ("b", False)]


async def test_the_policy_is_switched_by_name() -> None:
    store = FakeServers(a_server("a"))
    balancing = Balancing(store)  # type: ignore[arg-type]
    for name in known_policies():
        await balancing.set_algorithm(name, by="default/root")
    assert [call["name"] for call in store.asked("set_algorithm")] == list(known_policies())
    with pytest.raises(Invalid, match="round-robin") as caught:
        await balancing.set_algorithm("fastest", by="default/root")
    assert caught.value.field == "algorithm"
    name, servers = await balancing.status()
    assert (name, [s.id for s in servers]) == ("round-robin", ["a"])


WORKER = Principal(OWNER, frozenset({Role.SERVER}), server_id="a")


@pytest.mark.parametrize(("principal", "owner"), [(ANN, OWNER), (WORKER, None), (ADMIN, None)])
async def test_clients_get_their_own_figures_and_others_the_origins(principal: Principal, owner: Any) -> None:
    stats = FakeStats()
    service = Stats(stats, FakeServers(), clock=ManualClock())  # type: ignore[arg-type]
    await service.hours(principal, "native", "2023-11-14")
    await service.day(principal, "native", "2023-11-14")
    assert [call["owner"] for call in stats.asked("day") + stats.asked("waiting")] == [owner] * 3


async def test_a_day_names_the_five_busiest_servers() -> None:
    stats = FakeStats()
    store = FakeServers(*[a_server(f"s{n}", n) for n in range(7)])
    stats.script("busiest", ["s5", "s4", "s3"])
    stats.script("servers_day", {"s5": Counts(completed=5), "s4": Counts(failed=2), "none": Counts(cancelled=4)})
    stats.script("waiting", {TaskState.PENDING: 2})
    service = Stats(stats, store, clock=ManualClock())  # type: ignore[arg-type]
    day = await service.day(ADMIN, "native", "2023-11-14")
    assert day.top == [("s5", Counts(completed=5)), ("s4", Counts(failed=2)), ("s3", Counts())]
    assert stats.asked("busiest") == [{"date": "2023-11-14", "limit": 5}]
    assert (day.server_count, day.none.cancelled, day.waiting) == (7, 4, {TaskState.PENDING: 2})


async def test_today_counts_all_that_waits_and_a_past_day_its_own() -> None:
    stats, clock = FakeStats(), ManualClock(1_700_000_000_000)
    service = Stats(stats, FakeServers(), clock=clock)  # type: ignore[arg-type]
    assert service.today() == "2023-11-14"
    await service.day(ADMIN, "native", "2023-11-14")
    await service.day(ADMIN, "native", "2023-11-13")
    clock.advance(86_400_000)
    assert service.today() == "2023-11-15"
    assert [call["date"] for call in stats.asked("waiting")] == [None, "2023-11-13"]


@pytest.mark.parametrize("server_id", ["gone", "none"])
async def test_the_day_of_a_server_that_left_can_still_be_read(server_id: str) -> None:
    stats, store = FakeStats(), FakeServers()
    store.script("get", NotFound("Server not found"))
    stats.script("server_totals", Counts(completed=1))
    stats.script("server_day", (DayStats("2023-11-14"), 0.0))
    service = Stats(stats, store)  # type: ignore[arg-type]
    assert await service.server_day(server_id, "2023-11-14") == (DayStats("2023-11-14"), 0.0)


async def test_the_day_of_an_unknown_server_is_not_found() -> None:
    store = FakeServers()
    store.script("get", NotFound("Server not found: a"))
    stats = FakeStats()
    stats.script("server_totals", Counts(), Counts())
    service = Stats(stats, store)  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        await service.server_day("a", "2023-11-14")
    assert (await service.server_day("b", "2023-11-14"))[1] == 0.5
