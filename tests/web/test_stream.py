"""Answers that are sent as they come, to clients that do not take them."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from starlette.types import Message

from dispatcher.domain.clock import ManualClock
from dispatcher.domain.errors import Overrun
from dispatcher.web.stream import StreamedResponse
from tests.web.asgi import http_scope


class Client:
    """Takes `takes` chunks, then no more until it is told to; each takes `ms` of the loop's time."""

    def __init__(self, clock: ManualClock, takes: int, ms: int = 0) -> None:
        self._clock = clock
        self._takes = takes
        self._ms = ms
        self.goes_on = asyncio.Event()
        self.got: list[bytes] = []
        self.over = False

    async def receive(self) -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            return
        if len(self.got) == self._takes:
            if not self.goes_on.is_set():
                self._clock.advance(10_001)
            await self.goes_on.wait()
        self._clock.advance(self._ms)
        await asyncio.sleep(0)
        await asyncio.sleep(0)  # a limit that is over would end it here
        self.got.append(message.get("body", b""))
        self.over = not message.get("more_body", False)


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> ManualClock:
    """That of the loop, for its timers."""
    clock = ManualClock()
    monkeypatch.setattr(asyncio.get_running_loop(), "time", clock.monotonic)
    return clock


class Chunks:
    def __init__(self) -> None:
        self.error: Exception | None = None
        self.closed = False

    async def say(self, client: Client, words: bytes | None) -> AsyncGenerator[bytes, None]:
        try:
            for n in range(5):
                yield b"%d" % n
        except Overrun as error:
            self.error = error
            if words is None:
                raise
            if words == b"late":
                client.goes_on.set()
            if words:
                yield words
        finally:
            self.closed = True


async def test_a_client_that_takes_each_chunk_in_time_gets_all(clock: ManualClock) -> None:
    client, chunks = Client(clock, takes=99, ms=9_999), Chunks()
    await StreamedResponse(chunks.say(client, b""), 200, {}, stall_s=10)(http_scope(), client.receive, client.send)
    assert client.got == [b"0", b"1", b"2", b"3", b"4", b""]
    assert client.over
    assert chunks.error is None


@pytest.mark.parametrize(("words", "got"), [(b"late", [b"late"]), (b"lost", []), (b"", []), (None, [])])
async def test_a_client_that_takes_nothing_is_let_go(clock: ManualClock, words: bytes | None, got: list[bytes]) -> None:
    client, chunks = Client(clock, takes=2), Chunks()
    await StreamedResponse(chunks.say(client, words), 200, {}, stall_s=10)(http_scope(), client.receive, client.send)
    assert client.got == [b"0", b"1", *got]
    assert not client.over, "what is not complete does not end as if it were"
    assert isinstance(chunks.error, Overrun)
    assert chunks.closed


async def test_where_nothing_else_is_said_a_client_may_take_its_time(clock: ManualClock) -> None:
    client, chunks = Client(clock, takes=2), Chunks()
    sending = asyncio.create_task(
        StreamedResponse(chunks.say(client, b""), 200, {})(http_scope(), client.receive, client.send)
    )
    for _ in range(10):
        await asyncio.sleep(0)
    clock.advance(3_600_000)
    for _ in range(10):
        await asyncio.sleep(0)
    assert not sending.done()
    client.goes_on.set()
    await sending
    assert client.over
