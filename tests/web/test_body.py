import asyncio

import pytest
from starlette.types import Message

from dispatcher.domain.errors import Invalid, TooLarge, TooSlow
from dispatcher.web.body import BodyLimits, Inbound, read_body, read_chunks
from tests.web.asgi import body_of, http_scope

LIMITS = BodyLimits(max_bytes=10, deadline_s=5)


async def test_chunks_are_joined() -> None:
    assert await read_body(http_scope(), body_of(b"ab", b"", b"cd"), LIMITS) == b"abcd"


async def test_ten_bytes_fit_and_eleven_do_not() -> None:
    assert len(await read_body(http_scope(), body_of(b"x" * 5, b"x" * 5), LIMITS)) == 10
    with pytest.raises(TooLarge):
        await read_body(http_scope(), body_of(b"x" * 5, b"x" * 6), LIMITS)


async def test_a_declared_length_is_refused_before_anything_is_read() -> None:
    async def unread() -> Message:
        raise AssertionError("read")

    for declared in ("11", "9" * 40):
        with pytest.raises(TooLarge):
            await read_body(http_scope(headers=[("content-length", declared)]), unread, LIMITS)
    for declared in ("-1", "x", "1_0", "²"):
        with pytest.raises(Invalid):
            await read_body(http_scope(headers=[("content-length", declared)]), unread, LIMITS)


async def _discarded(headers: list[tuple[str, str]], chunks: int, limits: BodyLimits) -> int:
    """How many chunks of 10 bytes are taken of those that come."""
    count = 0

    async def chunk() -> Message:
        nonlocal count
        count += 1
        return {"type": "http.request", "body": b"x" * 10, "more_body": count < chunks}

    await Inbound(http_scope(headers=headers), chunk).discard(limits)
    return count


async def test_what_nobody_read_is_taken_in_within_bounds() -> None:
    length, chunked = [("content-length", "30")], [("transfer-encoding", "chunked")]
    assert await _discarded(length, 3, LIMITS) == 3
    assert await _discarded(chunked, 3, LIMITS) == 3
    assert await _discarded(chunked, 1000, BodyLimits(linger_bytes=99)) == 10
    assert await _discarded([], 3, LIMITS) == 0
    assert await _discarded([*length, ("expect", "100-continue")], 3, LIMITS) == 0


async def test_what_was_read_is_not_waited_for_again() -> None:
    inbound = Inbound(http_scope(headers=[("content-length", "2")]), body_of(b"a", b"b"))
    assert await read_body(http_scope(), inbound, LIMITS) == b"ab"
    await inbound.discard(LIMITS)
    assert (await inbound())["type"] == "http.disconnect"


async def test_nobody_is_lingered_for_without_end() -> None:
    async def stuck() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    await Inbound(http_scope(headers=[("content-length", "2")]), stuck).discard(BodyLimits(linger_s=0))


async def test_a_body_that_drips_for_too_long_is_refused() -> None:
    async def stuck() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(TooSlow):
        await read_body(http_scope(), stuck, BodyLimits(deadline_s=0))


async def test_a_caller_who_goes_away_is_noticed() -> None:
    with pytest.raises(Invalid, match="broke off"):
        await read_body(http_scope(), body_of(), LIMITS)


async def test_chunks_are_handed_on_as_they_come() -> None:
    chunks = read_chunks(http_scope(), body_of(b"ab", b"", b"cd"), max_bytes=4, idle_s=5)
    assert [chunk async for chunk in chunks] == [b"ab", b"cd"]


@pytest.mark.parametrize(
    ("headers", "sent", "refusal"),
    [
        ([], (b"abc", b"de"), TooLarge),
        ([("content-length", "5")], (b"abcde",), TooLarge),
        ([("content-length", "x")], (), Invalid),
        ([], (), Invalid),
    ],
)
async def test_chunks_that_are_refused(
    headers: list[tuple[str, str]], sent: tuple[bytes, ...], refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        async for _ in read_chunks(http_scope(headers=headers), body_of(*sent), max_bytes=4, idle_s=5):
            pass


async def test_a_pause_between_two_chunks_has_an_end() -> None:
    async def never() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(TooSlow):
        async for _ in read_chunks(http_scope(), never, max_bytes=4, idle_s=0.001):
            pass
