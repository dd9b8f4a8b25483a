"""Loads of models, one at a time. One that was begun goes on when nobody waits for it any more: a task whose time is
shorter than the load would begin it again and again."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from dispatcher.agent.errors import TaskError
from dispatcher.sandbox.waiting import first

log = logging.getLogger("dispatcher.agent")

T = TypeVar("T")


class _Load(Generic[T]):
    task: "asyncio.Task[T]"

    def __init__(self, name: str) -> None:
        self.name = name
        self.wanted = 0  # those who wait for it
        self.begun = False


class Loads(Generic[T]):
    """`act` loads what has a name. One that nobody wants is given up before its turn, when another one has waited
    `patience_s` for its own, and with `close`."""

    def __init__(self, act: Callable[[str], Awaitable[T]], patience_s: float) -> None:
        self._act = act
        self._patience_s = patience_s
        self._loads: dict[str, _Load[T]] = {}
        self._lock = asyncio.Lock()

    async def get(self, name: str) -> T:
        """Load it, or wait for the load that is under way. Raises what `act` does, TaskError when it was given up."""
        load = self._loads.get(name)
        if load is None or load.task.done():
            load = self._begin(name)
        load.wanted += 1
        try:
            return await asyncio.shield(load.task)
        except asyncio.CancelledError:
            waiter = asyncio.current_task()
            if load.task.cancelled() and not (waiter is not None and waiter.cancelling()):
                raise TaskError(f"the load of model {name} was given up", retryable=True) from None
            raise
        finally:
            load.wanted -= 1
            if not load.wanted and not load.begun:
                load.task.cancel()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """While nothing is loading."""
        taking = asyncio.ensure_future(self._lock.acquire())
        try:
            while not taking.done():
                await first(taking, timeout_s=self._patience_s)
                if not taking.done():
                    self._give_up_unwanted()
        except BaseException:
            if not taking.cancel():
                self._lock.release()
            raise
        try:
            yield
        finally:
            self._lock.release()

    async def close(self) -> None:
        """Give all of them up."""
        tasks = [load.task for load in self._loads.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, name: str) -> _Load[T]:
        load = self._loads[name] = _Load(name)
        load.task = asyncio.create_task(self._do(load))
        load.task.add_done_callback(lambda _: self._ended(load))
        return load

    async def _do(self, load: _Load[T]) -> T:
        async with self.turn():
            load.begun = True
            return await self._act(load.name)

    def _give_up_unwanted(self) -> None:
        for load in self._loads.values():
            if load.begun and not load.wanted:
                log.warning("the load of model %s is given up: nobody wants it, and others wait", load.name)
                load.task.cancel()

    def _ended(self, load: _Load[T]) -> None:
        if self._loads.get(load.name) is load:
            del self._loads[load.name]
        if not load.task.cancelled() and (error := load.task.exception()) is not None:
            log.warning("model %s was not loaded: %s", load.name, error)
