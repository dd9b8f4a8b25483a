"""What must reach the gateway: ends of tasks and of commands are sent over every new connection until confirmed."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Any

log = logging.getLogger("dispatcher.agent")

Send = Callable[[str], Awaitable[None]]
Sleep = Callable[[float], Awaitable[object]]

AGAIN_S = 1.0  # until something is sent again that the gateway could not record
_TOO_LARGE = "The result is too large for the gateway"


class Outgoing:
    """`send` of a connection raises ConnectionError when it is broken."""

    def __init__(self, sleep: Sleep = asyncio.sleep) -> None:
        self._sleep = sleep
        self._send: Send | None = None
        self._largest: tuple[int, Hashable] = (0, None)  # size and key of what was sent over this connection
        self._unconfirmed: dict[Hashable, dict[str, Any]] = {}
        self._again: set[asyncio.Task[None]] = set()
        self._empty = asyncio.Event()
        self._empty.set()

    async def put(self, key: Hashable, message: Mapping[str, Any]) -> None:
        """Send until `confirmed`."""
        self._unconfirmed[key] = dict(message)
        self._empty.clear()
        await self._try(key)

    async def tell(self, **message: Any) -> None:
        """Send once, if there is a connection."""
        await self._write(message)

    async def connected(self, send: Send) -> None:
        """There is a connection: send all that was not confirmed."""
        self._send = send
        self._largest = (0, None)
        for key in list(self._unconfirmed):
            await self._try(key)

    def lost(self) -> None:
        """There is none any more."""
        self._send = None

    def confirmed(self, key: Hashable, refused: str | None = None) -> None:
        """The gateway has recorded it, or refused it for good."""
        if self._unconfirmed.pop(key, None) is not None and refused is not None:
            log.warning("%s was not taken: %s", key, refused)
        if not self._unconfirmed:
            self._empty.set()

    def again(self, key: Hashable) -> None:
        """The gateway could not look at it: send it once more in a moment."""
        task = asyncio.get_running_loop().create_task(self._later(key))
        self._again.add(task)
        task.add_done_callback(self._again.discard)

    def too_large(self) -> None:
        """The connection was closed over the size of a message, the largest that it carried: a result is given up."""
        size, key = self._largest
        message = self._unconfirmed.get(key, {})
        log.warning("the gateway takes no message of %d bytes", size)
        if "result" in message:
            del message["result"]
            message.update(status="FAILED", error=_TOO_LARGE, retryable=False)
        elif "detail" in message:
            del message["detail"]
            message.update(type="commandFailed", error=_TOO_LARGE)

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

    async def _later(self, key: Hashable) -> None:
        await self._sleep(AGAIN_S)
        await self._try(key)

    async def _try(self, key: Hashable) -> None:
        if key in self._unconfirmed:
            await self._write(self._unconfirmed[key], key)

    async def _write(self, message: Mapping[str, Any], key: Hashable = None) -> None:
        if self._send is not None:
            text = json.dumps(message)
            if len(text) > self._largest[0]:
                self._largest = (len(text), key)
            try:
                await self._send(text)
            except ConnectionError:
                return  # the next connection brings it
