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
_TOO_LARGE = {"status": "FAILED", "error": "The result is too large for the gateway", "retryable": False}


class Outgoing:
    """`send` of a connection raises ConnectionError when it is broken."""

    def __init__(self, sleep: Sleep = asyncio.sleep) -> None:
        self._sleep = sleep
        self._send: Send | None = None
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
        """The connection was closed over the size of a message: the largest result is given up."""
        results = [message for message in self._unconfirmed.values() if "result" in message]
        if results:
            largest = max(results, key=lambda message: len(json.dumps(message)))
            del largest["result"]
            largest.update(_TOO_LARGE)

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
            await self._write(self._unconfirmed[key])

    async def _write(self, message: Mapping[str, Any]) -> None:
        if self._send is not None:
            try:
                await self._send(json.dumps(message))
            except ConnectionError:
                return  # the next connection brings it
