"""Every kind of predict function."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from dispatcher_sdk.backend.context import Context
from dispatcher_sdk.backend.functions import Functions, call
from dispatcher_sdk.backend.job import Job


def context() -> Context:
    return Context(Job("task_1", 2, "t", {}, "task_1", deadline=5, traceparent="00-a-b-01"), lambda percent: None)


async def run(function: Any, payload: Any, ctx: Context | None = None) -> Any:
    functions = Functions()
    functions.add(function, None)
    found = functions.find("anything")
    assert found is not None
    return await call(*found, payload, ctx or context())


def plain(payload: Any) -> Any:
    return [payload, threading.current_thread() is threading.main_thread()]


async def coroutine(payload: Any, ctx: Context) -> Any:
    return [payload, ctx.task_id, ctx.attempt, ctx.deadline, ctx.type, ctx.traceparent]


def generator(payload: Any) -> Iterator[int]:
    yield from range(payload)


def returning_generator(payload: Any) -> Any:
    yield 1
    return {"sum": payload}


async def async_generator(payload: Any, ctx: Context) -> AsyncIterator[int]:
    for number in range(payload):
        yield number


class Model:
    """A method does as well."""

    def predict(self, payload: Any, ctx: Context) -> Any:
        return [payload, ctx.attempt]


async def test_each_kind_gives_its_result() -> None:
    assert await run(plain, 1) == [1, False], "a blocking function must not hold the event loop"
    assert await run(coroutine, 1) == [1, "task_1", 2, 5, "t", "00-a-b-01"]
    assert await run(generator, 3) == [0, 1, 2]
    assert await run(returning_generator, 3) == {"sum": 3}
    assert await run(async_generator, 3) == [0, 1, 2]
    assert await run(Model().predict, 1) == [1, 2]


async def test_whatever_a_thread_raises_arrives() -> None:
    def stop(payload: Any) -> Any:
        raise StopIteration

    def fail(payload: Any) -> Any:
        raise KeyError("x")

    with pytest.raises(RuntimeError, match="StopIteration"):
        await run(stop, 1)
    with pytest.raises(KeyError):
        await run(fail, 1)


@pytest.mark.parametrize("kind", ["plain", "async"])
async def test_a_cancelled_generator_stops_at_its_next_item(kind: str) -> None:
    ctx, closed = context(), threading.Event()

    def endless(payload: Any, ctx: Context) -> Iterator[int]:
        try:
            for number in range(1_000_000):
                if number == 3:
                    ctx.cancel()
                yield number
        finally:
            closed.set()

    async def endless_async(payload: Any, ctx: Context) -> AsyncIterator[int]:
        for number in endless(payload, ctx):
            yield number

    assert await run(endless if kind == "plain" else endless_async, 1, ctx) == [0, 1, 2, 3]
    assert kind == "async" or closed.is_set()


async def test_many_blocking_calls_run_side_by_side() -> None:
    barrier = threading.Barrier(40, timeout=10)

    def together(payload: Any) -> int:
        return barrier.wait()

    assert sorted(await asyncio.gather(*(run(together, 1) for _ in range(40)))) == list(range(40))


def test_a_type_has_one_function_and_the_untyped_one_serves_the_rest() -> None:
    functions = Functions()
    functions.add(plain, "a")
    assert functions.find("b") is None
    functions.add(generator, None)
    assert functions.find("a") == (plain, False)
    assert functions.find("b") == (generator, False)
    for taken in ("a", None):
        with pytest.raises(ValueError, match="two functions"):
            functions.add(plain, taken)


def test_other_signatures_are_refused_when_decorated() -> None:
    functions = Functions()
    for wrong in (lambda: 1, lambda a, b, c: 1):
        with pytest.raises(TypeError, match="payload"):
            functions.add(wrong, None)
    functions.add(lambda payload, precision=2: 1, "defaults are the function's own")
    assert functions.find("defaults are the function's own") is not None
