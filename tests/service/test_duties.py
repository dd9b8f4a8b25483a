"""One round of what any gateway does for all."""

import asyncio
from typing import Any

from dispatcher.domain.failure import Verdict
from dispatcher.domain.grant import Ticked, Waiting
from dispatcher.service.duties import Duties
from dispatcher.service.servers import Servers
from tests.service.fakes import LANE, FakeStats, Gateway, a_server, free, until


def duties_of(gateway: Gateway) -> Duties:
    servers = Servers(gateway.servers, FakeStats(), gateway.forwarder)  # type: ignore[arg-type]
    return Duties(gateway.tasks, servers, gateway.dispatch, gateway="gw_1", clock=gateway.clock)


def heads(first: int, count: int) -> list[Waiting]:
    return [Waiting(f"t{n}", LANE, 0, free("a")) for n in range(first, first + count)]


async def test_a_round_handles_timers_probes_and_starts_what_waits() -> None:
    gateway = Gateway(a_server("a"))
    gateway.tasks.script("tick", Ticked(64, True), Ticked(3, False, ("a",)))
    gateway.tasks.script("peek", heads(0, 2))
    duties = duties_of(gateway)
    assert await duties.run() == {"handled": 67, "probed": 1, "started": 2, "more": False}
    await gateway.settle()
    await until(lambda: bool(gateway.servers.asked("probed")))
    assert sorted(gateway.ends()) == [("t0", Verdict.COMPLETED), ("t1", Verdict.COMPLETED)]
    assert gateway.tasks.asked("tick") == [{"gateway": "gw_1", "limit": 64}] * 2
    await duties.close()


async def test_a_round_ends_when_its_budget_is_spent() -> None:
    gateway = Gateway(a_server("a"))

    def slow(_: Any) -> Ticked:
        gateway.clock.advance(30)
        return Ticked(64, True)

    gateway.tasks.script("tick", *[slow] * 100)
    round_ = await duties_of(gateway).run(100)
    assert (round_["handled"], round_["more"]) == (64 * 4, True)


async def test_full_batches_of_heads_follow_one_another() -> None:
    gateway = Gateway(a_server("a"))
    gateway.tasks.script("peek", heads(0, 64), heads(64, 5))
    assert await duties_of(gateway).peek() == 69
    await gateway.settle()


async def test_heads_that_cannot_be_started_are_not_asked_for_again_and_again() -> None:
    gateway = Gateway(a_server("a", maintenance=True))
    gateway.tasks.script("peek", *[heads(0, 64)] * 10)
    assert (await duties_of(gateway).run())["more"] is True
    assert len(gateway.tasks.asked("peek")) == 1


async def test_a_gateway_that_stops_starts_nothing() -> None:
    gateway = Gateway(a_server("a"))
    await gateway.dispatch.drain(0)
    gateway.tasks.script("peek", heads(0, 1))
    assert await duties_of(gateway).peek() == 0
    assert gateway.tasks.asked("peek") == []


async def test_settling_waits_for_calls_within_the_budget() -> None:
    gateway = Gateway(a_server("a"))
    gateway.tasks.script("peek", heads(0, 1))
    await duties_of(gateway).run(1_000, settle=True)
    assert gateway.ends() == [("t0", Verdict.COMPLETED)]

    gateway.forwarder.gate = asyncio.Event()
    gateway.tasks.script("peek", heads(1, 1))
    gateway.tasks.script("tick", lambda _: gateway.clock.advance(5_000) or Ticked(0, False))
    await duties_of(gateway).run(1_000, settle=True)
    assert len(gateway.ends()) == 1, "the budget was spent"
    gateway.forwarder.gate.set()
    await gateway.settle()


async def test_what_is_done_beside_holds_nothing_up() -> None:
    gateway = Gateway(a_server("a"))
    gateway.tasks.script("peek", heads(0, 1), heads(1, 1))
    begun: list[str] = []
    gate = asyncio.Event()

    async def slow() -> None:
        begun.append("slow")
        await gate.wait()

    async def fails() -> None:
        begun.append("fails")
        raise ValueError

    servers = Servers(gateway.servers, FakeStats(), gateway.forwarder)  # type: ignore[arg-type]
    duties = Duties(gateway.tasks, servers, gateway.dispatch, gateway="gw_1", clock=gateway.clock, also=[slow, fails])
    for _ in range(2):
        assert (await duties.run())["started"] == 1
        await gateway.settle()
    assert begun == ["slow", "fails", "fails"], "one at a time"
    asyncio.get_running_loop().call_soon(gate.set)
    await duties.run(1_000, settle=True)
    assert gate.is_set(), "settling waits for it"
    await duties.close()
