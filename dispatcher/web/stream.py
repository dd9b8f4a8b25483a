"""Answers that are sent as they come: bytes of any length, and server-sent events."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress

from starlette.datastructures import MutableHeaders
from starlette.types import Receive, Scope, Send

from dispatcher.domain.errors import Overrun
from dispatcher.web.answer import ALWAYS
from dispatcher.web.event_stream import until_first

EVENTS = "text/event-stream"
PING = b":\n\n"  # a comment: keeps proxies from taking a silent stream for a dead one


def event(data: bytes, *, name: str = "", id: str = "") -> bytes:  # noqa: A002 - the field's name
    """One server-sent event; `data` is one line of text."""
    head = (f"id: {id}\n" if id else "") + (f"event: {name}\n" if name else "")
    return head.encode() + b"data: " + data + b"\n\n"


class StreamedResponse:
    """Sends chunks until they end or the client goes away; then the chunks are closed.

    When a chunk is not taken within `stall_s` seconds, Overrun is raised in `chunks`, which may have one more, the last
    words. A server takes some chunks ahead; it stops when its client reads nothing.
    """

    def __init__(
        self,
        chunks: AsyncGenerator[bytes, None],
        status: int,
        headers: Mapping[str, str],
        *,
        stall_s: float | None = None,
    ) -> None:
        self._chunks = chunks
        self._status = status
        self._headers = MutableHeaders({**ALWAYS, **headers})
        self._stall_s = stall_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self._status, "headers": self._headers.raw})
        try:
            if scope["method"] != "HEAD":
                await until_first(self._send(send), _left(receive))
        finally:
            await self._chunks.aclose()
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})

    async def _send(self, send: Send) -> None:
        async for chunk in self._chunks:
            if not await self._taken(send, chunk):
                with suppress(Overrun, StopAsyncIteration):
                    await self._taken(send, await self._chunks.athrow(Overrun("Too slow: connect again and resume")))
                return
        await send({"type": "http.response.body", "body": b""})

    async def _taken(self, send: Send, chunk: bytes) -> bool:
        try:
            async with asyncio.timeout(self._stall_s):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        except TimeoutError:
            return False
        return True


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
