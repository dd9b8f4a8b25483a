"""A store out of reach, and a gateway that stops."""

import asyncio

import pytest

from dispatcher.domain.errors import Unavailable
from dispatcher.domain.failure import Accepted, Verdict
from dispatcher.domain.grant import Finished
from dispatcher.domain.registry import Registry
from dispatcher.domain.reporter import ByHolder
from dispatcher.domain.transitions import TaskState
from tests.service.fakes import DONE, Gateway, a_grant, a_server, a_task, until


async def test_results_outlive_an_outage_and_are_stored_soon_after_it() -> None:
    gateway = Gateway(a_server("a"))
    back_s = gateway.clock.monotonic() + 120
    stored: list[float] = []

    def store(_: object) -> Finished:
        if gateway.clock.monotonic() < back_s:
            raise Unavailable("away")
        stored.append(gateway.clock.monotonic())
        return Finished(TaskState.COMPLETED)

    gateway.tasks.script("finish", *[store] * 10_000)
    for n in range(20):
        gateway.start(f"t{n}")
    await gateway.settle()
    assert len(stored) == 20
    # all pauses move the one clock of this test, so it runs ahead of every single one of them
    assert max(gateway.pauses) <= 2.0, "with pauses of at most 2 s everything is stored within 5 s of the return"
    repeats = gateway.tasks.asked("finish")
    for n in range(20):
        asked = [(f["by"], f["retry_delay_ms"], f["want_next"]) for f in repeats if f["task_id"] == f"t{n}"]
        assert len(set(asked)) == 1, "identical arguments, or the store could not know a repeat"


@pytest.mark.parametrize("error", [Unavailable("away"), ConnectionResetError(), TimeoutError()])
async def test_every_kind_of_outage_is_carried_over(error: Exception) -> None:
    gateway = Gateway(a_server("a"))
    gateway.tasks.script("finish", error, error)
    gateway.start()
    await gateway.settle()
    assert len(gateway.ends()) == 3


async def test_an_acceptance_outlives_an_outage() -> None:
    gateway = Gateway(a_server("a"))
    gateway.forwarder.script("predict", Accepted())
    gateway.tasks.script("accept", Unavailable("away"))
    gateway.start()
    await gateway.settle()
    assert len(gateway.tasks.asked("accept")) == 2


async def test_results_are_not_kept_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    gateway = Gateway(a_server("a"), keep_results_ms=60_000)
    gateway.tasks.script("finish", *[Unavailable("away")] * 10_000)
    gateway.start()
    await gateway.settle()
    assert 60 <= sum(gateway.pauses) < 63
    assert gateway.dispatch.held() == []
    assert "left to its lease" in caplog.text


async def test_results_that_wait_are_bounded_by_the_calls() -> None:
    gateway = Gateway(a_server("a"), max_calls=3)
    gate = asyncio.Event()

    async def away() -> Finished:
        await gate.wait()
        raise Unavailable("away")

    gateway.tasks.script("finish", *[lambda _: away()] * 3)
    for n in range(10):
        gateway.start(f"t{n}")
    await until(lambda: len(gateway.ends()) == 3)
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(gateway.forwarder.to()) == 3, "no further call before a result is stored"
    gate.set()
    await gateway.settle()


async def test_draining_lets_calls_end_and_takes_nothing_new() -> None:
    gateway = Gateway(a_server("a"))
    gateway.forwarder.gate = asyncio.Event()
    gateway.start("t1")
    await until(lambda: gateway.forwarder.running == 1)
    draining = asyncio.create_task(gateway.dispatch.drain(5.0))
    await until(lambda: gateway.dispatch.draining)
    gateway.start("t2")
    gateway.forwarder.gate.set()
    await draining
    assert gateway.ends() == [("t1", Verdict.COMPLETED)]
    assert gateway.tasks.asked("finish")[0]["want_next"] is None, "no next task for a gateway that stops"
    assert [claim["task_id"] for claim in gateway.tasks.asked("claim")] == ["t1"]


async def test_draining_hands_the_rest_back() -> None:
    gateway = Gateway(a_server("a"), max_calls=2)
    gateway.forwarder.gate = asyncio.Event()
    gateway.start("t1")
    await until(lambda: gateway.forwarder.running == 1)
    registry = await gateway.servers.snapshot()

    async def late(_: object) -> Registry:
        await until(lambda: gateway.dispatch.draining)
        return registry

    gateway.servers.script("snapshot", late)
    gateway.tasks.script("finish", Finished(TaskState.COMPLETED, grant=a_grant("t2", "a")))
    await gateway.dispatch.report(a_task("t0"), ByHolder("a"), DONE)
    assert len(gateway.dispatch.held()) == 2, "one running, one that is about to be sent"
    await gateway.dispatch.drain(0)
    ends = {(f["task_id"], f["outcome"].verdict, f["outcome"].slot_free) for f in gateway.tasks.asked("finish")[1:]}
    assert ends == {("t1", Verdict.RELEASED, False), ("t2", Verdict.RELEASED, True)}
    assert gateway.forwarder.aborted == 1
    assert gateway.dispatch.held() == []


async def test_an_answer_that_came_is_recorded_although_the_gateway_stops() -> None:
    gateway = Gateway(a_server("a"))
    gateway.tasks.script("finish", Unavailable("away"))
    gateway.start("t1")
    await until(lambda: len(gateway.ends()) == 1)
    await gateway.dispatch.drain(0)
    assert gateway.ends() == [("t1", Verdict.COMPLETED)] * 2


async def test_draining_twice_is_draining_once() -> None:
    gateway = Gateway(a_server("a"))
    await asyncio.gather(gateway.dispatch.drain(1.0), gateway.dispatch.drain(1.0))
    await gateway.dispatch.drain(0)
    assert await gateway.dispatch.start_waiting([]) == 0
