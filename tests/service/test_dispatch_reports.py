"""What a worker reports ends its attempt, and the slot goes on if there is a permit for it."""

import asyncio

import pytest

from dispatcher.domain.errors import StaleAttempt
from dispatcher.domain.failure import Verdict
from dispatcher.domain.grant import Finished
from dispatcher.domain.reporter import ByHolder
from dispatcher.domain.transitions import TaskState
from tests.service.fakes import DONE, Gateway, a_grant, a_server, a_task, until


async def test_a_report_uses_the_slot_that_it_frees() -> None:
    gateway = Gateway(a_server("a"))
    gateway.tasks.script("finish", Finished(TaskState.COMPLETED, grant=a_grant("t2", "a")))
    finished = await gateway.dispatch.report(a_task("t1", failures=2), ByHolder("a"), DONE)
    assert finished.state is TaskState.COMPLETED
    await gateway.settle()
    assert gateway.ends() == [("t1", Verdict.COMPLETED), ("t2", Verdict.COMPLETED)]


async def test_a_report_asks_for_no_more_work_while_all_calls_are_taken() -> None:
    """A grant that no permit can run would end as a time-out that is blamed on the server."""
    gateway = Gateway(a_server("a"), max_calls=1)
    gateway.forwarder.gate = gate = asyncio.Event()
    gateway.start("runs")
    await until(lambda: gateway.forwarder.running == 1)
    await gateway.dispatch.report(a_task("t1"), ByHolder("a"), DONE)
    assert gateway.tasks.asked("finish")[0]["want_next"] is None
    gate.set()
    await gateway.settle()
    assert gateway.tasks.asked("finish")[1]["want_next"], "a chain holds its permit and goes on asking"


async def test_reports_give_their_permits_back() -> None:
    gateway = Gateway(a_server("a"), max_calls=1)
    gateway.tasks.script("finish", StaleAttempt("x"))
    with pytest.raises(StaleAttempt):
        await gateway.dispatch.report(a_task("t1"), ByHolder("a"), DONE)
    gateway.tasks.script("finish", Finished(TaskState.COMPLETED, grant=a_grant("t3", "a")))
    for _ in range(3):
        await gateway.dispatch.report(a_task("t2"), ByHolder("a"), DONE)
        await gateway.settle()
    assert all(finish["want_next"] for finish in gateway.tasks.asked("finish"))


async def test_reports_at_the_same_time_ask_for_as_much_as_can_run() -> None:
    gateway = Gateway(a_server("a"), max_calls=2)
    await asyncio.gather(*(gateway.dispatch.report(a_task(f"t{n}"), ByHolder("a"), DONE) for n in range(4)))
    assert sum(finish["want_next"] is not None for finish in gateway.tasks.asked("finish")) == 2


async def test_a_repeated_report_does_not_run_the_recorded_grant_again() -> None:
    gateway = Gateway(a_server("a"))
    gateway.tasks.script("finish", Finished(TaskState.COMPLETED, duplicate=True, grant=a_grant("t2", "a")))
    finished = await gateway.dispatch.report(a_task("t1"), ByHolder("a"), DONE)
    await gateway.settle()
    assert (finished.duplicate, finished.grant) == (True, None)
    assert gateway.forwarder.to() == [], "it is under the nonce of whoever reported first"


async def test_a_reporter_who_hangs_up_does_not_lose_the_next_grant() -> None:
    gateway = Gateway(a_server("a"))
    gateway.tasks.script("finish", Finished(TaskState.COMPLETED, grant=a_grant("t2", "a")))
    request = asyncio.create_task(gateway.dispatch.report(a_task("t1"), ByHolder("a"), DONE))
    await until(lambda: len(gateway.ends()) == 1)
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    await gateway.settle()
    assert gateway.ends() == [("t1", Verdict.COMPLETED), ("t2", Verdict.COMPLETED)]


async def test_a_refused_report_is_the_callers_and_no_error_here(caplog: pytest.LogCaptureFixture) -> None:
    gateway = Gateway(a_server("a"))
    gateway.tasks.script("finish", StaleAttempt("x"))
    with pytest.raises(StaleAttempt):
        await gateway.dispatch.report(a_task("t1"), ByHolder("a"), DONE)
    assert caplog.text == ""
