import asyncio

import pytest
from starlette.types import Message

from dispatcher.domain.clock import ManualClock
from dispatcher.web.event_stream import CloseSocket, Disconnected, Inlet, Outbox, until_first


async def _inlet(*messages: Message, per_second: int = 100) -> tuple[Inlet, ManualClock]:
    waiting = list(messages)
    clock = ManualClock()

    async def receive() -> Message:
        return waiting.pop(0)

    return Inlet(receive, clock, max_bytes=10, per_second=per_second), clock


def _text(text: str) -> Message:
    return {"type": "websocket.receive", "text": text}


async def test_text_within_bounds_comes_through() -> None:
    inlet, _ = await _inlet(_text("x" * 10), {"type": "websocket.disconnect"})
    assert await inlet.next() == b"x" * 10
    with pytest.raises(Disconnected):
        await inlet.next()


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"type": "websocket.receive", "bytes": b"x"}, 1003),
        ({"type": "websocket.receive", "bytes": b"x", "text": None}, 1003),
        (_text("\udcff"), 1007),
        (_text("x" * 11), 1009),
        (_text("é" * 6), 1009),
    ],
)
async def test_what_closes_the_socket(message: Message, code: int) -> None:
    inlet, _ = await _inlet(message)
    with pytest.raises(CloseSocket) as closed:
        await inlet.next()
    assert closed.value.code == code


async def test_a_flood_closes_the_socket_and_a_steady_flow_does_not() -> None:
    inlet, clock = await _inlet(*[_text("x")] * 10, per_second=3)
    for _ in range(2):
        for _ in range(3):
            await inlet.next()
        clock.advance(1000)
    for _ in range(3):
        await inlet.next()
    with pytest.raises(CloseSocket) as closed:
        await inlet.next()
    assert closed.value.code == 1008


async def test_a_slow_consumer_is_closed_instead_of_queued_for_without_end() -> None:
    async def stuck(message: Message) -> None:
        await asyncio.Event().wait()

    outbox = Outbox(stuck, maxsize=2)
    outbox.put("1")
    outbox.put("2")
    with pytest.raises(CloseSocket) as closed:
        outbox.put("3")
    assert closed.value.code == 1013


async def test_the_first_job_to_end_ends_the_others() -> None:
    ended: list[str] = []

    async def long() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("long")

    async def breaks() -> None:
        raise Disconnected

    with pytest.raises(Disconnected):
        await until_first(long(), breaks())
    assert ended == ["long"]


async def test_a_delivery_returns_once_it_is_written_and_not_at_all_when_it_was_given_up() -> None:
    sent: list[str] = []

    async def send(message: Message) -> None:
        sent.append(message["text"])

    outbox = Outbox(send)
    given_up = asyncio.create_task(outbox.deliver("a"))
    kept = asyncio.create_task(outbox.deliver("b"))
    await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.sleep(0)
    assert not kept.done()
    await outbox.flush()
    await kept
    assert sent == ["b"]
    await outbox.close()


async def test_what_is_on_its_way_when_sending_ends_is_not_cut_off_and_the_last_words_come_after_it() -> None:
    sent: list[str] = []
    reads = asyncio.Event()

    async def send(message: Message) -> None:
        await reads.wait()
        sent.append(message["text"])

    outbox = Outbox(send, maxsize=2)
    running = asyncio.create_task(outbox.run())
    outbox.put("on its way")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    outbox.put("a")
    outbox.put("b")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    outbox.put_last("too slow")
    parting = asyncio.create_task(outbox.flush())
    await asyncio.sleep(0)
    assert not parting.done()
    reads.set()
    await parting
    assert sent == ["on its way", "too slow"]
    await outbox.close()


async def test_silence_closes_the_socket_and_any_sign_of_life_keeps_it_open() -> None:
    inlet, clock = await _inlet(_text("a"), _text("b"))
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) > 2:
            clock.advance(30_000)
            return
        clock.advance(29_999)
        await inlet.next()

    with pytest.raises(CloseSocket) as closed:
        await inlet.watch_silence(30, 4408, sleep)
    assert closed.value.code == 4408
    assert slept == [30, 30, 30]
