"""Perform the steps of a flow, with blocking calls or with asyncio. Nothing else differs between the two clients."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import TypeVar

from dispatcher_sdk.errors import DispatcherError
from dispatcher_sdk.flows.steps import Flow, Item, Open, Pause, Read, Request, Response, Step, Tail
from dispatcher_sdk.transports import AsyncStream, AsyncTransport, Stream, Transport

T = TypeVar("T")
Outcome = Response | bytes | None


class Driver:
    """Runs flows over a `Transport`; `sleep` takes seconds."""

    def __init__(self, transport: Transport, sleep: Callable[[float], object]) -> None:
        self.transport = transport
        self._sleep = sleep

    def run(self, flow: Flow[T]) -> T:
        """The flow's result; raises what the flow raises."""
        work = _Work(self.transport, self._sleep)
        try:
            step = next(flow)
            while True:
                try:
                    outcome = work.perform(step)
                except DispatcherError as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(outcome)
        except StopIteration as stop:
            result: T = stop.value
            return result
        finally:
            work.close()
            flow.close()

    def iterate(self, tail: Tail[T]) -> Generator[T, None, None]:
        """What the flow hands out; raises what the flow raises."""
        work, flow = _Work(self.transport, self._sleep), tail.steps()
        try:
            step = next(flow)
            while True:
                if isinstance(step, Item):
                    yield step.value
                    step = next(flow)
                    continue
                try:
                    outcome = work.perform(step)
                except DispatcherError as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(outcome)
        except StopIteration:
            return
        finally:
            work.close()
            flow.close()


class _Work:
    """The steps of one flow, and the answer that it has open."""

    def __init__(self, transport: Transport, sleep: Callable[[float], object]) -> None:
        self._transport = transport
        self._sleep = sleep
        self._stream: Stream | None = None

    def perform(self, step: Step) -> Outcome:
        match step:
            case Request():
                return self._transport.send(step)
            case Pause():
                self._sleep(step.seconds)
                return None
            case Open():
                self.close()
                self._stream = self._transport.stream(step.request)
                return self._stream.head
            case Read():
                return b"" if self._stream is None else next(self._stream.chunks, b"")
        step.file.write(step.data)
        return None

    def close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()


class AsyncDriver:
    """Runs flows over an `AsyncTransport`; `sleep` takes seconds."""

    def __init__(self, transport: AsyncTransport, sleep: Callable[[float], Awaitable[object]]) -> None:
        self.transport = transport
        self._sleep = sleep

    async def run(self, flow: Flow[T]) -> T:
        """The flow's result; raises what the flow raises."""
        work = _AsyncWork(self.transport, self._sleep)
        try:
            step = next(flow)
            while True:
                try:
                    outcome = await work.perform(step)
                except DispatcherError as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(outcome)
        except StopIteration as stop:
            result: T = stop.value
            return result
        finally:
            await work.close()
            flow.close()

    async def iterate(self, tail: Tail[T]) -> AsyncGenerator[T, None]:
        """What the flow hands out; raises what the flow raises."""
        work, flow = _AsyncWork(self.transport, self._sleep), tail.steps()
        try:
            step = next(flow)
            while True:
                if isinstance(step, Item):
                    yield step.value
                    step = next(flow)
                    continue
                try:
                    outcome = await work.perform(step)
                except DispatcherError as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(outcome)
        except StopIteration:
            return
        finally:
            await work.close()
            flow.close()


class _AsyncWork:
    """The same with asyncio."""

    def __init__(self, transport: AsyncTransport, sleep: Callable[[float], Awaitable[object]]) -> None:
        self._transport = transport
        self._sleep = sleep
        self._stream: AsyncStream | None = None

    async def perform(self, step: Step) -> Outcome:
        match step:
            case Request():
                return await self._transport.send(step)
            case Pause():
                await self._sleep(step.seconds)
                return None
            case Open():
                await self.close()
                self._stream = await self._transport.stream(step.request)
                return self._stream.head
            case Read():
                return b"" if self._stream is None else await anext(self._stream.chunks, b"")
        await asyncio.to_thread(step.file.write, step.data)
        return None

    async def close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            await stream.close()
