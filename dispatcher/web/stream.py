"""Answers that are sent as they come: bytes of any length, and server-sent events."""

from collections.abc import AsyncGenerator, Mapping

from starlette.datastructures import MutableHeaders
from starlette.types import Receive, Scope, Send

from dispatcher.web.answer import ALWAYS
from dispatcher.web.event_stream import until_first

EVENTS = "text/event-stream"
PING = b":\n\n"  # a comment: keeps proxies from taking a silent stream for a dead one


def event(data: bytes, *, name: str = "", id: str = "") -> bytes:  # noqa: A002 - the field's name
    """One server-sent event; `data` is one line of text."""
    head = (f"id: {id}\n" if id else "") + (f"event: {name}\n" if name else "")
    return head.encode() + b"data: " + data + b"\n\n"


class StreamedResponse:
    """Sends chunks until they end or the client goes away; then the chunks are closed."""

    def __init__(self, chunks: AsyncGenerator[bytes, None], status: int, headers: Mapping[str, str]) -> None:
        self._chunks = chunks
        self._status = status
        self._headers = MutableHeaders({**ALWAYS, **headers})

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
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
