import asyncio

import pytest
from starlette.requests import ClientDisconnect
from starlette.types import Message

from dispatcher.domain.errors import Invalid, TooLarge, TooSlow
from dispatcher.web.body import BodyLimits, read_body
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


async def test_a_body_that_drips_for_too_long_is_refused() -> None:
    async def stuck() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(TooSlow):
        await read_body(http_scope(), stuck, BodyLimits(deadline_s=0))


async def test_a_caller_who_goes_away_is_noticed() -> None:
    with pytest.raises(ClientDisconnect):
        await read_body(http_scope(), body_of(), LIMITS)
