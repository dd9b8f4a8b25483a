"""What a task costs in script calls, on a real engine: the budget that the request path keeps."""

import random
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from dispatcher.domain.clock import ManualClock, SystemClock
from dispatcher.domain.failure import Outcome, Verdict
from dispatcher.domain.task import Task
from dispatcher.service.dispatch import Dispatch, DispatchOptions
from dispatcher.service.latencies import Latencies
from dispatcher.service.ports import RateRule
from dispatcher.service.submit import Submit
from dispatcher.service.waits import Waits
from dispatcher.store import Store, StoreOptions
from tests.service.fakes import FakeForwarder
from tests.store import redis_factory
from tests.store.world import GATEWAY, new_server, new_task

RATE = RateRule("create", "acme/ann", 1_000_000)


class Gateway:
    """Submitting and dispatching on a counted store."""

    def __init__(self, store: Store, forwarder: FakeForwarder) -> None:
        self.calls: Counter[str] = Counter()
        self.forwarder = forwarder
        runner: Any = store.tasks._run  # type: ignore[attr-defined]
        send = runner.call

        async def counted(name: str, /, *rest: Any, **values: Any) -> Any:
            self.calls[name] += 1
            return await send(name, *rest, **values)

        runner.call = counted
        waits = Waits()
        self.dispatch = Dispatch(
            store.tasks, store.servers, forwarder, waits, Latencies(), clock=SystemClock(), rng=random.Random(1),
            gateway=GATEWAY, options=DispatchOptions(),
        )  # fmt: skip
        self.submit = Submit(store.tasks, self.dispatch, waits, gateway=GATEWAY)

    async def run(self, task_id: str, wait_ms: int) -> Task | None:
        task = (await self.submit.create(new_task(task_id), rate=RATE, key=None, wait_ms=wait_ms))[1]
        assert await self.dispatch.idle(5.0)
        return task


@pytest.fixture
async def store(servers: dict[str, str]) -> AsyncIterator[Store]:
    async with redis_factory.make_redis_store(servers["wheel"], ManualClock(), StoreOptions(), "budget") as store:
        async for key in store.client.scan_iter("{budget}:*"):
            await store.client.delete(key)
        await redis_factory.set_clock(store.client, "budget", ManualClock())
        yield store


@pytest.fixture
async def gateway(store: Store) -> Gateway:
    forwarder = FakeForwarder()
    gateway = Gateway(store, forwarder)
    await store.servers.put(new_server("s1", max_concurrent=1))
    await gateway.run("warm-up", 0)  # the lane becomes known, the registry is read
    gateway.calls.clear()
    return gateway


async def test_a_synchronous_task_costs_three_calls(gateway: Gateway) -> None:
    task = await gateway.run("t1", 5_000)
    assert task is not None
    assert (task.state, task.result) == ("COMPLETED", b"{}")
    assert gateway.calls == {"create_task": 1, "claim_attempt": 1, "finish_attempt": 1}


async def test_a_waiting_task_of_a_busy_fleet_costs_two(gateway: Gateway, store: Store) -> None:
    for n in range(20):
        await gateway.submit.create(new_task(f"t{n}"), rate=RATE, key=None)
    assert await gateway.dispatch.idle(5.0)
    assert gateway.calls["create_task"] == gateway.calls["finish_attempt"] == 20
    assert gateway.calls["claim_attempt"] <= 8  # those that came before the one slot was taken; refused or not
    assert sum(gateway.calls.values()) == 40 + gateway.calls["claim_attempt"]


async def test_the_task_that_an_end_brings_is_the_one_that_a_read_brings(gateway: Gateway, store: Store) -> None:
    brought = await gateway.run("t1", 5_000)
    read, _ = await store.tasks.get("t1")
    assert brought == read


async def test_a_failed_end_brings_the_task_too(gateway: Gateway, store: Store) -> None:
    gateway.forwarder.script("predict", Outcome(Verdict.FAILED, code="REJECTED", text="no"))
    brought = await gateway.run("t1", 5_000)
    assert brought == (await store.tasks.get("t1"))[0]
    assert brought is not None
    assert brought.error is not None
    assert brought.error.code == "REJECTED"
