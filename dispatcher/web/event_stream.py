"""The plumbing of a WebSocket that is fed by events: bounded both ways, closed with a code that says why."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from starlette.types import Receive, Send

from dispatcher.domain.clock import Clock
from dispatcher.service.background import end_all

NOT_TEXT = 1003
NOT_UTF8 = 1007
FLOOD = 1008
TOO_BIG = 1009
TOO_SLOW = 1013
SIGNED_OUT = 4401


Sleep = Callable[[float], Awaitable[None]]
_Queued = tuple[str, "asyncio.Future[None] | None"]  # a message, and who is told that it is written


class CloseSocket(Exception):
    """Close with this code and reason (at most 123 bytes)."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Disconnected(Exception):
    """The other side went away."""


class Outbox:
    """What waits to be sent to one socket. A consumer that falls `maxsize` messages behind is closed. `close` it in the
    end."""

    def __init__(self, send: Send, maxsize: int = 256) -> None:
        self._send = send
        self._queue: asyncio.Queue[_Queued] = asyncio.Queue(maxsize)
        self._sender: asyncio.Task[None] | None = None

    def put(self, text: str) -> None:
        """Queue a message. Raises CloseSocket(1013) when the consumer is too slow."""
        self._put(text, None)

    async def deliver(self, text: str) -> None:
        """Queue a message and return once it is written; never, when the socket ends before. A message whose sender
        was cancelled meanwhile is not written. Raises as `put`."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._put(text, written)
        await written

    async def deliver_all(self, texts: Sequence[str], *, within_s: float) -> None:
        """Queue messages, at least one and fewer than the queue holds, and return once the last is written. Raises
        TimeoutError when that takes too long, and as `put`."""
        for text in texts[:-1]:
            self.put(text)
        async with asyncio.timeout(within_s):
            await self.deliver(texts[-1])

    def put_last(self, text: str) -> None:
        """Queue the last words; when the queue is full, instead of what waits there."""
        if self._queue.full():
            while not self._queue.empty():
                self._queue.get_nowait()
                self._queue.task_done()
        self._queue.put_nowait((text, None))

    async def run(self) -> None:
        """Send, until cancelled. Even then a message that is on its way to one who does not read is not cut off: some
        servers could say nothing more on such a connection."""
        await asyncio.shield(self._sending())

    async def flush(self) -> None:
        """Wait until all that is queued is sent; for the last words before a close."""
        sender, empty = self._sending(), asyncio.ensure_future(self._queue.join())
        try:
            await asyncio.wait([sender, empty], return_when=asyncio.FIRST_COMPLETED)
            if sender.done():
                sender.result()
        finally:
            empty.cancel()

    async def close(self) -> None:
        """Send no more."""
        if self._sender is not None:
            await end_all([self._sender])

    def _sending(self) -> asyncio.Task[None]:
        if self._sender is None:
            self._sender = asyncio.create_task(self._send_all())
        return self._sender

    async def _send_all(self) -> None:
        while True:
            await self._send_one(await self._queue.get())
            self._queue.task_done()

    def _put(self, text: str, written: asyncio.Future[None] | None) -> None:
        try:
            self._queue.put_nowait((text, written))
        except asyncio.QueueFull:
            raise CloseSocket(TOO_SLOW, "Too slow: reconnect and resume") from None

    async def _send_one(self, queued: _Queued) -> None:
        text, written = queued
        if written is not None and written.cancelled():
            return  # nobody waits for it any more
        await self._send({"type": "websocket.send", "text": text})
        if written is not None and not written.done():
            written.set_result(None)


class Inlet:
    """Text messages from one socket, within a size and a rate."""

    def __init__(self, receive: Receive, clock: Clock, *, max_bytes: int = 65_536, per_second: int = 100) -> None:
        self._receive = receive
        self._clock = clock
        self._max_bytes = max_bytes
        self._per_second = per_second
        self._second = 0
        self._count = 0
        self._heard_at = clock.monotonic()

    async def next(self) -> bytes:
        """The next text message in UTF-8. Raises Disconnected, or CloseSocket with 1003, 1007, 1008 or 1009."""
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            raise Disconnected
        self._heard_at = self._clock.monotonic()
        text: str | None = message.get("text")
        if text is None:
            raise CloseSocket(NOT_TEXT, "Text messages only")
        second = int(self._clock.monotonic())
        self._count = self._count + 1 if second == self._second else 1
        self._second = second
        if self._count > self._per_second:
            raise CloseSocket(FLOOD, f"More than {self._per_second} messages a second")
        try:
            raw = text.encode()
        except UnicodeEncodeError:  # some servers let through what they cannot decode; most close by themselves
            raise CloseSocket(NOT_UTF8, "Text must be UTF-8") from None
        if len(raw) > self._max_bytes:
            raise CloseSocket(TOO_BIG, f"Message larger than {self._max_bytes} bytes")
        return raw

    async def watch_silence(self, limit_s: float, code: int, sleep: Sleep = asyncio.sleep) -> None:
        """Close a socket whose other end was not heard for so long: it may be gone without a word."""
        while True:
            left = self._heard_at + limit_s - self._clock.monotonic()
            if left <= 0:
                raise CloseSocket(code, f"Nothing heard for {limit_s:g} s")
            await sleep(left)


class Parting:
    """A reason to close a socket that does not come from its own talk. The first one counts."""

    def __init__(self) -> None:
        self._reason: asyncio.Future[CloseSocket] = asyncio.get_running_loop().create_future()

    def end(self, close: CloseSocket) -> None:
        if not self._reason.done():
            self._reason.set_result(close)

    async def closed(self) -> None:
        """Wait for a reason to close, and raise it."""
        raise await asyncio.shield(self._reason)


async def until_first(*jobs: Coroutine[Any, Any, None]) -> None:
    """Run jobs side by side until one ends; cancel the others, and raise what the first one raised."""
    tasks = [asyncio.create_task(job) for job in jobs]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        await end_all(tasks)
