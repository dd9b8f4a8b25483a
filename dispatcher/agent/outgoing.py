"""What must reach the gateway: ends of tasks and of commands are sent over every new connection until confirmed."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

log = logging.getLogger("dispatcher.agent")

Send = Callable[[str], Awaitable[None]]
Sleep = Callable[[float], Awaitable[object]]

AGAIN_S = 1.0  # until something is sent again that the gateway could not record
MOST_BYTES = 8 << 20  # of a message, where the gateway does not say
SUSPECT_BYTES = 64 << 10  # a smaller message breaks no connection by its size
SUSPECT_BREAKS = 3  # of connections over which it was the largest without an answer: then it is too large
_TOO_LARGE = "The result is too large for the gateway"


@dataclass(slots=True)
class _Unconfirmed:
    """What is sent: ASCII, so its length is its size in bytes. `instead` is sent when that is too large."""

    text: str
    instead: str | None
    breaks: int = 0


class Outgoing:
    """`send` of a connection raises ConnectionError when it is broken."""

    def __init__(self, sleep: Sleep = asyncio.sleep) -> None:
        self._sleep = sleep
        self._send: Send | None = None
        self._most_bytes = MOST_BYTES
        self._sent: dict[Hashable, int] = {}  # bytes of what this connection carried and has no answer; None: the rest
        self._first: set[Hashable] = set()  # to be confirmed before a suspect is sent
        self._suspects: list[Hashable] = []  # sent last over this connection, one after another
        self._unconfirmed: dict[Hashable, _Unconfirmed] = {}
        self._again: set[asyncio.Task[None]] = set()
        self._empty = asyncio.Event()
        self._empty.set()

    async def put(self, key: Hashable, message: Mapping[str, Any]) -> None:
        """Send until `confirmed`."""
        self._unconfirmed[key] = _Unconfirmed(json.dumps(message), _instead(message))
        self._empty.clear()
        await self._try(key)

    async def tell(self, **message: Any) -> None:
        """Send once, if there is a connection."""
        await self._write(json.dumps(message))

    async def connected(self, send: Send, most_bytes: int = MOST_BYTES) -> None:
        """There is a connection, for messages of so many bytes: send all that was not confirmed, the smallest first.
        What may have broken earlier ones waits until the others are confirmed."""
        self._send, self._most_bytes = send, most_bytes
        order = sorted(self._unconfirmed, key=lambda key: len(self._unconfirmed[key].text))
        self._suspects = [key for key in order if self._unconfirmed[key].breaks]
        self._first = set(order).difference(self._suspects)
        for key in order:
            if key in self._first:
                await self._try(key)
        self._go_on()

    def lost(self) -> None:
        """There is none any more."""
        self._send = None
        self._sent.clear()
        self._suspects.clear()

    def confirmed(self, key: Hashable, refused: str | None = None) -> None:
        """The gateway has recorded it, or refused it for good."""
        self._sent.pop(key, None)
        if self._unconfirmed.pop(key, None) is not None and refused is not None:
            log.warning("%s was not taken: %s", key, refused)
        if not self._unconfirmed:
            self._empty.set()
        self._first.discard(key)
        self._go_on()

    def again(self, key: Hashable) -> None:
        """The gateway could not look at it: send it once more in a moment."""
        self._sent.pop(key, None)
        if key in self._unconfirmed:
            self._unconfirmed[key].breaks = 0  # it came through
        self._spawn(self._later(key))

    def too_large(self) -> None:
        """The connection was closed over the size of a message, the largest that it carried: a result is given up."""
        key = self._largest()
        log.warning("the gateway takes no message of %d bytes", self._sent.get(key, 0))
        if key in self._unconfirmed:
            self._give_up(self._unconfirmed[key])

    def broken(self) -> None:
        """The connection broke and nothing says why. An ASGI server or a proxy may do so over the size of a message:
        the largest without an answer is suspected, and given up when it was so several times."""
        key = self._largest()
        suspect = self._unconfirmed.get(key)
        if suspect is None or len(suspect.text) < SUSPECT_BYTES:
            return
        suspect.breaks += 1
        if suspect.breaks >= SUSPECT_BREAKS:
            log.warning("%d connections broke over a message of %d bytes", suspect.breaks, len(suspect.text))
            self._give_up(suspect)

    async def flushed(self, timeout_s: float) -> bool:
        """Wait until all is confirmed; False when it was not in time."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._empty.wait()
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        """Try nothing again."""
        for task in self._again:
            task.cancel()

    def __contains__(self, key: object) -> bool:
        return key in self._unconfirmed

    def __iter__(self) -> Any:
        return iter(list(self._unconfirmed))

    def _largest(self) -> Hashable:
        return max(self._sent, key=self._sent.__getitem__, default=None)

    def _give_up(self, end: _Unconfirmed) -> None:
        if end.instead is not None:
            end.text, end.instead, end.breaks = end.instead, None, 0

    def _go_on(self) -> None:
        """The next suspect, when everything before it is confirmed."""
        if self._suspects and not self._first:
            key = self._suspects.pop(0)
            self._first = {key}
            self._spawn(self._try(key))

    def _spawn(self, sending: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(sending)
        self._again.add(task)
        task.add_done_callback(self._again.discard)

    async def _later(self, key: Hashable) -> None:
        await self._sleep(AGAIN_S)
        await self._try(key)

    async def _try(self, key: Hashable) -> None:
        end = self._unconfirmed.get(key)
        if end is None or self._send is None:
            return
        if len(end.text) > self._most_bytes:
            log.warning("the end of %s has %d bytes, the gateway takes %d", key, len(end.text), self._most_bytes)
            self._give_up(end)
        await self._write(end.text, key)

    async def _write(self, text: str, key: Hashable = None) -> None:
        if self._send is not None:
            self._sent[key] = max(len(text), self._sent.get(key, 0))
            try:
                await self._send(text)
            except ConnectionError:
                return  # the next connection brings it


def _instead(message: Mapping[str, Any]) -> str | None:
    """What is said of an end that is too large; None for what holds nothing large."""
    rest = dict(message)
    if "result" in rest:
        del rest["result"]
        rest.update(status="FAILED", error=_TOO_LARGE, retryable=False)
    elif "detail" in rest:
        del rest["detail"]
        rest.update(type="commandFailed", error=_TOO_LARGE)
    else:
        return None
    return json.dumps(rest)
