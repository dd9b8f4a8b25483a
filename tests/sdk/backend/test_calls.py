"""Capacity, joining, memory, cancellation and drain."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from dispatcher_sdk import Context, InvalidInput
from dispatcher_sdk.backend.calls import BUSY, Call, Calls
from dispatcher_sdk.backend.functions import Functions
from dispatcher_sdk.backend.job import Callback, Job, Outcome
from dispatcher_sdk.backend.recent import Recent
from dispatcher_sdk.backend.reports import Reporter, over_http
from dispatcher_sdk.drivers import AsyncDriver
from dispatcher_sdk.flows.steps import Request, Response


class Sent:
    """A transport that keeps what was sent."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.status = 200

    async def send(self, request: Request) -> Response:
        self.requests.append(request)
        return Response(self.status)

    async def close(self) -> None: ...


class Gate:
    """A function that waits until it is let go."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.release = asyncio.Event()
        self.calls = 0
        self.ctx: Context | None = None

    async def __call__(self, payload: Any, ctx: Context) -> Any:
        self.calls += 1
        self.ctx = ctx
        self.entered.set()
        await self.release.wait()
        return payload


def calls(function: Callable[..., Any], *, sent: Sent | None = None, **options: Any) -> Calls:
    functions = Functions()
    functions.add(function, "t")
    put = over_http(AsyncDriver(sent or Sent(), asyncio.sleep))
    return Calls(
        functions,
        lambda job, stale: Reporter(job, put, on_stale=stale),
        **{"max_concurrent": 2, **options},
    )


def job(task_id: str = "task_1", attempt: int = 1, payload: Any = 1, **fields: Any) -> Job:
    return Job(task_id, attempt, "t", payload, task_id, **fields)


async def outcome(admitted: Call | Outcome) -> Outcome:
    return admitted if isinstance(admitted, Outcome) else await admitted.outcome()


def gated() -> tuple[Gate, Callable[..., Any]]:
    gate = Gate()

    async def function(payload: Any, ctx: Context) -> Any:
        return await gate(payload, ctx)

    return gate, function


async def test_above_capacity_it_is_busy_and_free_again_after_an_end() -> None:
    gate, function = gated()
    pool = calls(function, max_concurrent=1)
    first = pool.admit(job("task_1"))
    assert pool.admit(job("task_2")) is BUSY
    assert (pool.active, pool.task_ids) == (1, ["task_1"])
    gate.release.set()
    assert (await outcome(first)).body == b"1"
    assert (await outcome(pool.admit(job("task_2")))).status == 200


async def test_a_repeated_call_joins_the_running_one_and_takes_no_slot() -> None:
    gate, function = gated()
    pool = calls(function, max_concurrent=1)
    first = pool.admit(job(attempt=1))
    second = pool.admit(job(attempt=2))
    assert second is first
    await gate.entered.wait()
    assert gate.ctx is not None
    assert gate.ctx.attempt == 2
    pool.admit(job(attempt=1))
    assert gate.ctx.attempt == 2, "an older attempt that comes late changes nothing"
    gate.release.set()
    assert (await outcome(first)).status == 200
    assert gate.calls == 1


async def test_a_result_is_remembered_and_a_failure_is_not() -> None:
    seen: list[Any] = []

    def function(payload: Any) -> Any:
        seen.append(payload)
        if payload == "bad":
            raise InvalidInput("no such thing")
        if payload == "broken":
            raise OSError("disk")
        return {"n": payload}

    pool = calls(function)
    for _ in range(2):
        assert (await outcome(pool.admit(job(payload=1)))).body == b'{"n":1}'
    assert seen == [1]
    for _ in range(2):
        refused = await outcome(pool.admit(job("task_2", payload="bad")))
        assert (refused.status, refused.error) == (422, "no such thing")
        broken = await outcome(pool.admit(job("task_3", payload="broken")))
        assert (broken.status, broken.error) == (500, "OSError: disk")
    assert len(seen) == 5


@pytest.mark.parametrize("result", [float("nan"), object(), {1: {2}}])
async def test_a_result_without_a_json_form_fails_the_attempt(result: Any) -> None:
    assert (await outcome(calls(lambda payload: result).admit(job()))).status == 500


async def test_an_unknown_type_is_the_tasks_fault() -> None:
    refused = await outcome(calls(lambda payload: 1).admit(Job("task_1", 1, "other", 1, "task_1")))
    assert refused.status == 422


async def test_who_stops_waiting_does_not_stop_the_call() -> None:
    gate, function = gated()
    pool = calls(function)
    waiting = asyncio.create_task(outcome(pool.admit(job())))
    await gate.entered.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    gate.release.set()
    assert (await outcome(pool.admit(job(attempt=2)))).body == b"1"
    assert gate.calls == 1


async def test_cancel_interrupts_a_coroutine() -> None:
    gate, function = gated()
    pool = calls(function)
    running = pool.admit(job())
    await gate.entered.wait()
    assert await pool.cancel("task_1", 1, grace=5.0)
    assert (await outcome(running)).error == "cancelled"
    assert pool.active == 0
    assert (await _again(gate, pool)).body == b"1", "a cancelled call must not be remembered"


async def _again(gate: Gate, pool: Calls) -> Outcome:
    gate.release.set()
    return await outcome(pool.admit(job()))


async def test_a_plain_function_that_does_not_look_is_said_to_be_running_and_keeps_its_slot() -> None:
    entered, release = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()
    seen: list[bool] = []

    def function(payload: Any, ctx: Context) -> Any:
        loop.call_soon_threadsafe(entered.set)
        release.wait(10)
        seen.append(ctx.cancelled)

    pool = calls(function)
    running = pool.admit(job())
    await entered.wait()
    assert not await pool.cancel("task_1", 1, grace=0.0)
    assert pool.active == 1
    release.set()
    assert (await outcome(running)).error == "cancelled"
    assert seen == [True]


async def test_cancelling_an_older_attempt_or_an_unknown_task_stops_nothing() -> None:
    gate, function = gated()
    pool = calls(function)
    running = pool.admit(job(attempt=2))
    assert await pool.cancel("task_1", 1, grace=0.0)
    assert await pool.cancel("task_9", None, grace=0.0)
    gate.release.set()
    assert (await outcome(running)).status == 200


async def test_drain_refuses_new_work_and_waits_for_the_rest() -> None:
    gate, function = gated()
    pool = calls(function)
    running = pool.admit(job())
    draining = asyncio.create_task(pool.drain(10.0))
    await gate.entered.wait()
    assert pool.admit(job("task_2")) is BUSY
    assert pool.admit(job()) is running, "joining is no new work"
    assert not draining.done()
    gate.release.set()
    assert await draining
    assert await pool.drain(0.0)


async def test_drain_gives_up_at_its_limit() -> None:
    gate, function = gated()
    pool = calls(function)
    pool.admit(job())
    assert not await pool.drain(0.0)
    gate.release.set()
    assert await pool.drain(10.0)


async def test_a_reported_call_counts_as_running_until_its_end_is_told() -> None:
    sent = Sent()
    pool = calls(lambda payload: {"n": payload}, sent=sent, report_ends=True)
    running = pool.admit(job(callback=Callback("http://gateway.test/api/task/task_1", "token")))
    assert (await outcome(running)).status == 200
    (request,) = sent.requests
    assert request.body == b'{"status":"COMPLETED","result":{"n":1}}'


def test_the_memory_is_bounded_by_number_and_by_bytes() -> None:
    recent = Recent(keep=2, keep_bytes=10)
    for key in ("a", "b", "c"):
        recent.put(key, Outcome(200, b"123"))
    assert recent.get("a") is None
    assert recent.get("c") is not None
    recent.put("d", Outcome(200, b"12345678"))
    assert recent.get("c") is None
    recent.put("d", Outcome(200, b"1"))
    recent.put("e", Outcome(200, b"123456789"))
    assert recent.get("d") is not None
    recent.put("f", Outcome(200, b"x" * 11))
    assert recent.get("f") is None
