"""Predict functions: which one serves a type, and how each kind of function is called."""

import asyncio
import contextvars
import inspect
import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import suppress
from typing import Any, TypeVar

from dispatcher_sdk.backend.context import Context

T = TypeVar("T")
Function = Callable[..., Any]


class InvalidInput(Exception):
    """Raise it in a predict function when the payload is at fault: the task fails without a retry."""


class Functions:
    """The predict functions of one backend, by task type; one without a type serves all others."""

    def __init__(self) -> None:
        self._by_type: dict[str | None, tuple[Function, bool]] = {}

    def add(self, function: Function, type: str | None) -> None:  # noqa: A002 - the field's name
        """Register `function(payload)` or `function(payload, ctx)`.

        Raises ValueError when the type is taken and TypeError for another signature.
        """
        if type in self._by_type:
            raise ValueError(f"two functions for {'every type' if type is None else type}")
        self._by_type[type] = (function, _takes_context(function))

    def find(self, type: str) -> tuple[Function, bool] | None:  # noqa: A002 - the field's name
        """The function for a type and whether it takes the context."""
        return self._by_type.get(type) or self._by_type.get(None)

    def __len__(self) -> int:
        return len(self._by_type)


def interruptible(function: Function) -> bool:
    """Whether a call of it can be stopped from outside: it gives way to the event loop at every await."""
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


async def call(function: Function, takes_context: bool, payload: Any, context: Context) -> Any:
    """Call any kind of function. Blocking ones run in a thread of their own, so the event loop stays free.

    What a generator yields is collected; the list is the result, unless the generator returns something. A generator
    is stopped at its next yield after a cancellation; a plain function has to look at `ctx.cancelled` itself.
    """
    arguments = (payload, context) if takes_context else (payload,)
    if inspect.iscoroutinefunction(function):
        return await function(*arguments)
    if inspect.isasyncgenfunction(function):
        return await _collect_async(function(*arguments), context)
    return await _in_thread(_call_blocking, function, arguments, context)


def _call_blocking(function: Function, arguments: tuple[Any, ...], context: Context) -> Any:
    outcome = function(*arguments)
    return _collect(outcome, context) if inspect.isgenerator(outcome) else outcome


def _collect(generator: Generator[Any, Any, Any], context: Context) -> Any:
    items: list[Any] = []
    returned: list[Any] = []

    def follow() -> Iterator[Any]:
        returned.append((yield from generator))

    steps = follow()
    for item in steps:
        items.append(item)
        if context.cancelled:
            generator.close()
            break
    return returned[0] if returned and returned[0] is not None else items


async def _collect_async(generator: AsyncIterator[Any], context: Context) -> list[Any]:
    items: list[Any] = []
    async for item in generator:
        items.append(item)
        if context.cancelled:
            break
    return items


async def _in_thread(work: Callable[..., T], *arguments: Any) -> T:
    """Run in a daemon thread: a function that ignores its cancellation must not keep the process from ending, as a
    pool's threads would."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    settings = contextvars.copy_context()

    def settle(result: Any, error: BaseException | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    def main() -> None:
        result: Any = None
        error: BaseException | None = None
        try:
            result = settings.run(work, *arguments)
        except StopIteration:
            error = RuntimeError("the function raised StopIteration")  # a future cannot carry that one
        except BaseException as raised:  # noqa: BLE001 - handed over to the waiting side, whatever it is
            error = raised
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=main, name="predict", daemon=True).start()
    return await future


def _takes_context(function: Function) -> bool:
    positional = [
        parameter
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind in {parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD}
        and (parameter.default is parameter.empty or parameter.name in {"ctx", "context"})
    ]
    if len(positional) not in {1, 2}:
        raise TypeError(f"{function!r} has to take (payload) or (payload, ctx)")
    return len(positional) == 2
