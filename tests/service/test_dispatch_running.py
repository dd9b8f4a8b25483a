"""From an attempt to its end, and on to the next."""

import asyncio

import pytest

from dispatcher.domain.errors import AlreadyEnded, ConflictingResult, NotFound, StaleAttempt, Unavailable
from dispatcher.domain.failure import Accepted, Outcome, Verdict
from dispatcher.domain.grant import Behind, Finished, Granted, Held
from dispatcher.domain.transitions import TaskState
from tests.service.fakes import BUSY, DONE, FAILURE, Gateway, a_grant, a_server, free, until


async def test_a_freed_slot_goes_on_with_the_next_task() -> None:
    gateway = Gateway(a_server("a"))
    nexts = [a_grant(f"t{n}", "a") for n in (2, 3)]
    gateway.tasks.script("finish", *[Finished(TaskState.COMPLETED, grant=grant) for grant in nexts])
    gateway.start()
    await gateway.settle()
    assert gateway.ends() == [(f"t{n}", Verdict.COMPLETED) for n in (1, 2, 3)]
    assert len(gateway.tasks.asked("claim")) == 1
    assert gateway.dispatch.held() == []


async def test_a_long_chain_of_grants_needs_no_stack() -> None:
    gateway = Gateway(a_server("a"))
    chain = [Finished(TaskState.COMPLETED, grant=a_grant(f"n{n}")) for n in range(3_000)]
    gateway.tasks.script("finish", *chain)
    gateway.start()
    await gateway.settle()
    assert len(gateway.ends()) == 3_001


async def test_what_remains_of_the_time_counts_from_the_grant() -> None:
    gateway = Gateway(a_server("a"))

    async def slow_store() -> object:
        gateway.clock.advance(2_500)
        return await gateway.servers.snapshot()

    grant = a_grant(now_ms=5_000, deadline_ms=15_000)
    gateway.tasks.script("claim", Granted(grant))
    registry = await gateway.servers.snapshot()
    gateway.servers.script("snapshot", registry, lambda _: slow_store())
    gateway.start()
    await gateway.settle()
    assert gateway.forwarder.asked("predict")[0]["remaining_ms"] == 7_500


async def test_a_busy_server_hands_the_task_to_three_others_and_no_more() -> None:
    gateway = Gateway(*[a_server(name, seq) for seq, name in enumerate("abcdef", 1)])
    gateway.forwarder.script("predict", *[BUSY] * 6)
    gateway.tasks.script("finish", *[Finished(TaskState.PENDING, candidates=free(*"abcdef"))] * 6)
    gateway.start()
    await gateway.settle()
    assert gateway.forwarder.to() == ["a", "b", "c", "d"], "each once, although all are offered again"
    assert [fence["by"].fence for fence in gateway.tasks.asked("finish")] == [1, 2, 3, 4]


async def test_an_older_task_that_went_first_may_be_handed_to_all_others() -> None:
    gateway = Gateway(*[a_server(name, seq) for seq, name in enumerate("abcd", 1)])
    gateway.forwarder.script("predict", *[BUSY] * 5)
    gateway.tasks.script("claim", Granted(a_grant("t1", "a")), Behind(a_grant("older", "b")))
    gateway.tasks.script("finish", *[Finished(TaskState.PENDING, candidates=free(*"abcd"))] * 5)
    gateway.start()
    await gateway.settle()
    assert gateway.forwarder.to() == ["a", "b", "a", "c", "d"], "what t1 has tried does not count for it"


async def test_a_server_out_of_reach_hands_the_task_on_at_once() -> None:
    gateway = Gateway(a_server("a", 1), a_server("b", 2))
    gateway.forwarder.script("predict", Outcome(Verdict.NOT_SENT))
    gateway.tasks.script("finish", Finished(TaskState.PENDING, candidates=free("b")))
    gateway.start()
    await gateway.settle()
    assert gateway.forwarder.to() == ["a", "b"]
    assert gateway.ends() == [("t1", Verdict.NOT_SENT), ("t1", Verdict.COMPLETED)]
    assert gateway.pauses == []


async def test_the_task_goes_elsewhere_and_the_slot_to_another_task() -> None:
    gateway = Gateway(a_server("a", 1), a_server("b", 2))
    gateway.forwarder.script("predict", BUSY)
    both = Finished(TaskState.PENDING, grant=a_grant("t2", "a"), candidates=free("b"))
    gateway.tasks.script("finish", both)
    gateway.start()
    await gateway.settle()
    assert sorted(gateway.ends()[1:]) == [("t1", Verdict.COMPLETED), ("t2", Verdict.COMPLETED)]


async def test_busy_everywhere_leaves_the_task_in_the_queue() -> None:
    gateway = Gateway(a_server("a"))
    gateway.forwarder.script("predict", BUSY)
    gateway.start()
    await gateway.settle()
    assert gateway.forwarder.to() == ["a"]


async def test_an_accepted_task_is_left_to_its_server() -> None:
    gateway = Gateway(a_server("a"))
    gateway.forwarder.script("predict", Accepted())
    gateway.start()
    await gateway.settle()
    (accepted,) = gateway.tasks.asked("accept")
    assert (accepted["task_id"], accepted["by"].fence, accepted["lease_ms"]) == ("t1", 1, 30_000)
    assert gateway.ends() == []
    assert gateway.dispatch.held() == []


@pytest.mark.parametrize("failures", [0, 1, 2, 9])
async def test_the_wait_before_a_retry_is_full_jitter(failures: int) -> None:
    delays = []
    gateway = Gateway(a_server("a"), retry_base_ms=500, retry_max_ms=3_000)
    for n in range(60):
        gateway.forwarder.script("predict", FAILURE)
        gateway.tasks.script("claim", Granted(a_grant(f"t{n}", failures=failures)))
        gateway.start(f"t{n}")
        await gateway.settle()
        delays.append(gateway.tasks.asked("finish")[-1]["retry_delay_ms"])
    ceiling = min(3_000, 500 * 2**failures)
    assert all(0 <= delay <= ceiling for delay in delays)
    assert max(delays) > ceiling / 2 > min(delays)


@pytest.mark.parametrize(
    "refusal",
    [StaleAttempt("x"), AlreadyEnded("x", code="CANCELLED"), ConflictingResult("x"), NotFound("x")],
)
async def test_an_end_that_comes_too_late_is_dropped(refusal: Exception) -> None:
    gateway = Gateway(a_server("a"))
    gateway.tasks.script("finish", refusal)
    gateway.start()
    await gateway.settle()
    assert len(gateway.ends()) == 1, "an answer of the store is not argued with"
    assert gateway.dispatch.held() == []


async def test_a_lost_attempt_is_reported_as_such() -> None:
    """Three of them end the task as poison: the store counts, the gateway has to tell each one."""
    gateway = Gateway(a_server("a"), a_server("b", 2))
    for losses in range(3):
        gateway.tasks.script("claim", Granted(a_grant(fence=losses + 1, losses=losses)))
        gateway.forwarder.script("predict", Outcome(Verdict.LOST, slot_free=False))
        gateway.tasks.script("finish", Finished(TaskState.FAILED if losses == 2 else TaskState.PENDING))
        with gateway.waits.expected("t1") as ended:
            gateway.start()
            await gateway.settle()
        assert ended.done() == (losses == 2)
    assert gateway.ends() == [("t1", Verdict.LOST)] * 3
    assert not any(finish["outcome"].slot_free for finish in gateway.tasks.asked("finish"))


async def test_whoever_waits_here_is_told_of_the_end() -> None:
    gateway = Gateway(a_server("a"))
    with gateway.waits.expected("t1") as ended:
        gateway.start()
        await gateway.settle()
        assert ended.done()


async def test_a_server_that_is_gone_gives_the_task_back() -> None:
    gateway = Gateway(a_server("a"))
    gateway.tasks.script("claim", Granted(a_grant("t1", "gone")))
    gateway.start()
    await gateway.settle()
    assert gateway.ends() == [("t1", Verdict.RELEASED)]
    assert gateway.forwarder.to() == []


async def test_no_more_calls_at_once_than_allowed() -> None:
    gateway = Gateway(a_server("a"), max_calls=2)
    gateway.forwarder.gate = asyncio.Event()
    for n in range(6):
        gateway.start(f"t{n}")
    await until(lambda: gateway.forwarder.running == 2)
    for _ in range(50):
        await asyncio.sleep(0)
    assert gateway.forwarder.most == 2
    gateway.forwarder.gate.set()
    await gateway.settle()
    assert gateway.forwarder.most == 2
    assert len(gateway.ends()) == 6


async def test_held_is_every_attempt_from_grant_to_recorded_end() -> None:
    gateway = Gateway(a_server("a"))
    gateway.forwarder.gate = asyncio.Event()
    gateway.start("t1")
    gateway.start("t2")
    assert gateway.dispatch.held() == []
    await until(lambda: gateway.forwarder.running == 2)
    assert sorted(held.task_id for held in gateway.dispatch.held()) == ["t1", "t2"]

    during_finish = asyncio.Event()

    async def slow() -> Finished:
        await during_finish.wait()
        return Finished(TaskState.COMPLETED)

    gateway.tasks.script("finish", lambda _: slow(), lambda _: slow())
    gateway.forwarder.gate.set()
    await until(lambda: len(gateway.ends()) == 2)
    assert set(gateway.dispatch.held()) == {Held("t1", "a", 1), Held("t2", "a", 1)}, "until the end is recorded"
    during_finish.set()
    await gateway.settle()
    assert gateway.dispatch.held() == []


async def test_a_lost_lease_aborts_the_call_and_records_nothing() -> None:
    gateway = Gateway(a_server("a"))
    gateway.forwarder.gate = asyncio.Event()
    gateway.start()
    await until(lambda: gateway.forwarder.running == 1)
    gateway.dispatch.give_up(Held("t1", "a", 7))
    (held,) = gateway.dispatch.held()
    gateway.dispatch.give_up(held)
    await gateway.settle()
    assert gateway.forwarder.aborted == 1
    assert gateway.ends() == []
    assert gateway.dispatch.held() == []


async def test_a_lost_lease_does_not_stop_a_finish_under_way() -> None:
    gateway = Gateway(a_server("a"))
    gateway.tasks.script("finish", Unavailable("away"))
    gateway.start()
    await until(lambda: len(gateway.ends()) == 1)
    (held,) = gateway.dispatch.held()
    gateway.dispatch.give_up(held)
    await gateway.settle()
    assert gateway.ends() == [("t1", Verdict.COMPLETED)] * 2, "the fence judges, not we"


async def test_a_call_given_up_before_it_was_sent_is_not_sent() -> None:
    gateway = Gateway(a_server("a"))
    gateway.servers.script("snapshot", await gateway.servers.snapshot(), Unavailable("away"))
    gateway.start()
    await until(lambda: bool(gateway.dispatch.held()))
    gateway.dispatch.give_up(gateway.dispatch.held()[0])
    await gateway.settle()
    assert gateway.forwarder.to() == []


async def test_a_fast_failure_makes_a_server_look_slow() -> None:
    gateway = Gateway(a_server("a"))
    gateway.forwarder.script("predict", DONE)
    gateway.start("t1")
    await gateway.settle()
    assert gateway.latencies.of("a", "x") == 5
    gateway.forwarder.script("predict", FAILURE)
    gateway.start("t2")
    await gateway.settle()
    assert (gateway.latencies.of("a", "x") or 0) >= 1_000
