"""Perform the steps of a flow, with blocking calls or with asyncio. Nothing else differs between the two clients."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from dispatcher_sdk.errors import DispatcherError
from dispatcher_sdk.flows.steps import Flow, Pause, Request, Response
from dispatcher_sdk.transports import AsyncTransport, Transport

T = TypeVar("T")


class Driver:
    """Runs flows over a `Transport`; `sleep` takes seconds."""

    def __init__(self, transport: Transport, sleep: Callable[[float], object]) -> None:
        self.transport = transport
        self._sleep = sleep

    def run(self, flow: Flow[T]) -> T:
        """The flow's result; raises what the flow raises."""
        try:
            step = next(flow)
            while True:
                try:
                    outcome = self._perform(step)
                except DispatcherError as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(outcome)
        except StopIteration as stop:
            result: T = stop.value
            return result

    def _perform(self, step: Request | Pause) -> Response | None:
        if isinstance(step, Request):
            return self.transport.send(step)
        self._sleep(step.seconds)
        return None


class AsyncDriver:
    """Runs flows over an `AsyncTransport`; `sleep` takes seconds."""

    def __init__(self, transport: AsyncTransport, sleep: Callable[[float], Awaitable[object]]) -> None:
        self.transport = transport
        self._sleep = sleep

    async def run(self, flow: Flow[T]) -> T:
        """The flow's result; raises what the flow raises."""
        try:
            step = next(flow)
            while True:
                try:
                    outcome = await self._perform(step)
                except DispatcherError as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(outcome)
        except StopIteration as stop:
            result: T = stop.value
            return result

    async def _perform(self, step: Request | Pause) -> Response | None:
        if isinstance(step, Request):
            return await self.transport.send(step)
        await self._sleep(step.seconds)
        return None
