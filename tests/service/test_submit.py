"""Handing in tasks, and waiting for their ends."""

import asyncio
from typing import Any

import pytest

from dispatcher.domain.errors import RateLimited, RateState, Unavailable
from dispatcher.domain.failure import Verdict
from dispatcher.domain.grant import Created
from dispatcher.domain.transitions import TaskState
from dispatcher.service.endings import Endings
from dispatcher.service.ports import IdempotencyKey, RateRule
from dispatcher.service.submit import Submit
from tests.service.fakes import ADMIN, ANN, OWNER, Gateway, a_new_task, a_server, a_task, free, until

RULE = RateRule("create", "default/ann", 50)
COMPLETED = (a_task(state=TaskState.COMPLETED), None)


def submitting(*servers: Any) -> tuple[Submit, Gateway]:
    gateway = Gateway(*servers)
    return Submit(gateway.tasks, gateway.dispatch, gateway.waits, gateway="gw_1", clock=gateway.clock), gateway


def created(task_id: str = "t1", **fields: Any) -> Created:
    return Created(task_id, TaskState.PENDING, 1_000, **fields)


async def test_a_task_with_candidates_is_started_in_the_background() -> None:
    submit, gateway = submitting(a_server("a"))
    gateway.tasks.script("create", created(turn=3, candidates=free("a")))
    answer, task = await submit.create(a_new_task(), rate=RULE, key=None)
    assert (answer.task_id, task) == ("t1", None)
    assert gateway.tasks.asked("claim") == [], "the caller does not wait for it"
    (create,) = gateway.tasks.asked("create")
    assert (create["rate"], create["waiter"], create["gateway"]) == (RULE, False, "gw_1")
    await gateway.settle()
    assert gateway.ends() == [("t1", Verdict.COMPLETED)]


async def test_a_task_without_candidates_waits_for_others() -> None:
    submit, gateway = submitting(a_server("a"))
    await submit.create(a_new_task(), rate=None, key=None)
    await gateway.settle()
    assert gateway.tasks.asked("claim") == []


async def test_the_owners_affinity_reaches_the_policy() -> None:
    submit, gateway = submitting(*[a_server(name, seq) for seq, name in enumerate("abcdefgh", 1)])
    gateway.servers.algorithm = "rendezvous-hash"
    for n in range(6):
        gateway.tasks.script("create", created(f"t{n}", candidates=free(*"abcdefgh")))
        await submit.create(a_new_task(f"t{n}", spec=b'{"affinity": "m"}'), rate=None, key=None)
    await gateway.settle()
    assert len(set(gateway.forwarder.to())) == 1


async def test_a_waiting_caller_gets_the_task_at_its_end() -> None:
    submit, gateway = submitting(a_server("a"))
    gateway.tasks.script("create", created(candidates=free("a")))
    gateway.tasks.script("get", COMPLETED)
    _, task = await submit.create(a_new_task(), rate=None, key=None, wait_ms=5_000)
    assert task == COMPLETED[0]
    assert gateway.tasks.asked("create")[0]["waiter"] is True
    assert gateway.tasks.asked("watch") == [], "the create said it already"
    assert len(gateway.waits) == 0


async def test_a_waiting_caller_gets_the_task_as_it_is_when_time_is_up() -> None:
    submit, gateway = submitting(a_server("a"))
    pending = a_task(state=TaskState.PENDING)

    def later(_: object) -> Any:
        gateway.clock.advance(20)
        return pending, None

    gateway.tasks.script("get", later, (pending, None))
    _, task = await submit.create(a_new_task(), rate=None, key=None, wait_ms=15)
    assert task == pending
    assert len(gateway.waits) == 0


async def test_an_end_that_nobody_told_of_is_seen_by_looking_again() -> None:
    gateway = Gateway()
    endings = Endings(gateway.tasks, gateway.waits, gateway="gw_1", clock=gateway.clock)
    gateway.tasks.script("get", (a_task(), None), COMPLETED, COMPLETED)
    assert await endings.wait("t1", 60_000, look_again_s=0) == COMPLETED[0]
    assert len(gateway.tasks.asked("get")) == 3
    gateway.tasks.script("get", (None, None), (None, None))
    assert await endings.wait("t1", 60_000, look_again_s=0) is None, "deleted meanwhile"


async def test_a_replayed_create_waits_for_the_first_task_and_starts_nothing() -> None:
    submit, gateway = submitting(a_server("a"))
    gateway.tasks.script("create", created("first", replayed=True, candidates=free("a")))
    gateway.tasks.script("watch", False)
    key = IdempotencyKey("k", "digest")
    await submit.create(a_new_task("second"), rate=None, key=key, wait_ms=5_000)
    assert gateway.tasks.asked("watch")[0]["task_id"] == "first"
    await gateway.settle()
    assert gateway.tasks.asked("claim") == []


async def test_a_refused_create_leaves_no_waiter() -> None:
    submit, gateway = submitting()
    gateway.tasks.script("create", RateLimited("slow down", RateState(50, 0, 0), 30))
    with pytest.raises(RateLimited):
        await submit.create(a_new_task(), rate=RULE, key=None, wait_ms=1_000)
    assert len(gateway.waits) == 0


async def test_a_caller_who_hangs_up_does_not_stop_the_task() -> None:
    submit, gateway = submitting(a_server("a"))
    gateway.forwarder.gate = asyncio.Event()
    gateway.tasks.script("create", created(candidates=free("a")))
    request = asyncio.create_task(submit.create(a_new_task(), rate=None, key=None, wait_ms=60_000))
    await until(lambda: gateway.forwarder.running == 1)
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    assert len(gateway.waits) == 0
    gateway.forwarder.gate.set()
    await gateway.settle()
    assert gateway.ends() == [("t1", Verdict.COMPLETED)]


async def test_nothing_is_taken_in_while_the_gateway_stops() -> None:
    submit, gateway = submitting(a_server("a"))
    await gateway.dispatch.drain(0)
    with pytest.raises(Unavailable):
        await submit.create(a_new_task(), rate=None, key=None)
    assert gateway.tasks.calls == []


@pytest.mark.parametrize(("principal", "owner"), [(ANN, OWNER), (ADMIN, None)])
async def test_a_retry_is_started_like_a_new_task(principal: Any, owner: Any) -> None:
    submit, gateway = submitting(a_server("a"))
    gateway.tasks.script("retry", created(candidates=free("a")))
    await submit.retry(principal, "t1", "native", 99)
    (retry,) = gateway.tasks.asked("retry")
    assert (retry["owner"], retry["origin"], retry["waiting_ms"]) == (owner, "native", 99)
    await gateway.settle()
    assert gateway.ends() == [("t1", Verdict.COMPLETED)]
