"""Reading a request body within a size and a time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope

from dispatcher.domain.errors import Invalid, TooLarge, TooSlow


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """At most `max_bytes` per body, all of it within `deadline_s` seconds of starting to read.

    A client that is still sending when it is refused may see a broken connection instead of the answer; so up to
    `linger_bytes` of what it sends, for `linger_s` seconds, are read and thrown away first.
    """

    max_bytes: int = 1_048_576
    deadline_s: float = 30.0
    linger_bytes: int = 16_777_216
    linger_s: float = 2.0


async def read_body(scope: Scope, receive: Receive, limits: BodyLimits) -> bytes:
    """The whole body. Raises TooLarge (by the declared length before anything is read, else as soon as the bytes
    exceed it), TooSlow, Invalid (bad Content-Length, or the end of the connection before the end of the body)."""
    _check_declared(scope, limits.max_bytes)
    try:
        async with asyncio.timeout(limits.deadline_s):
            return await _read(receive, limits)
    except TimeoutError:
        raise TooSlow("The request body did not arrive in time") from None


async def read_chunks(scope: Scope, receive: Receive, *, max_bytes: int, idle_s: float) -> AsyncIterator[bytes]:
    """The body as it comes, with at most `idle_s` seconds between two chunks. Raises as `read_body`."""
    _check_declared(scope, max_bytes)
    size, more = 0, True
    while more:
        try:
            async with asyncio.timeout(idle_s):
                chunk, more = _body_of(await receive())
        except TimeoutError:
            raise TooSlow("The request body did not arrive in time") from None
        size += len(chunk)
        if size > max_bytes:
            raise _too_large(max_bytes)
        if chunk:
            yield chunk


class Inbound:
    """The receive channel of one request, which knows whether all of the body has come."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        headers = Headers(scope=scope)
        announced = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
        self._receive = receive
        self._open = announced and "expect" not in headers  # one that waits for a 100 (Continue) sends nothing yet

    async def __call__(self) -> Message:
        message = await self._receive()
        self._open = message["type"] == "http.request" and message.get("more_body", False)
        return message

    async def discard(self, limits: BodyLimits) -> None:
        """Throw away what is left of the body, within the bounds of lingering."""
        left = limits.linger_bytes
        with suppress(TimeoutError):
            async with asyncio.timeout(limits.linger_s):
                while self._open and left > 0:
                    left -= len((await self()).get("body", b""))


async def _read(receive: Receive, limits: BodyLimits) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        chunk, more = _body_of(await receive())
        size += len(chunk)
        if size > limits.max_bytes:
            raise _too_large(limits.max_bytes)
        chunks.append(chunk)
        if not more:
            return b"".join(chunks)


def _body_of(message: Message) -> tuple[bytes, bool]:
    if message["type"] == "http.disconnect":
        raise Invalid("The request body broke off")  # gone, or so the server says of chunks that it cannot read
    return message.get("body", b""), message.get("more_body", False)


def declared_length(scope: Scope) -> int:
    """Bytes of the body by its Content-Length, 0 without one; what has more than 15 digits counts as 10^15. Raises
    Invalid."""
    declared = Headers(scope=scope).get("content-length", "0")
    if not declared.isascii() or not declared.isdigit():
        raise Invalid("Invalid Content-Length")
    return 10**15 if len(declared) > 15 else int(declared)


def _check_declared(scope: Scope, max_bytes: int) -> None:
    if declared_length(scope) > max_bytes:
        raise _too_large(max_bytes)


def _too_large(max_bytes: int) -> TooLarge:
    return TooLarge(f"The request body is larger than {max_bytes} bytes")
