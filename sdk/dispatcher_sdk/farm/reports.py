"""What has to reach the gateway: the newest progress, and a result until it is acknowledged."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from dispatcher_sdk.farm.link import Pace

log = logging.getLogger("dispatcher_sdk.farm")

TRANSIENT = ("INTERNAL_ERROR", "SERVICE_UNAVAILABLE", "RATE_LIMITED")  # reasons after which the same is sent again


class Reports:
    """`send` answers whether a message went out. Lives in the event loop."""

    def __init__(self, send: Callable[[Mapping[str, Any]], Awaitable[bool]], pace: Pace) -> None:
        self._send = send
        self._pace = pace
        self._progress: Mapping[str, Any] | None = None  # the newest, sent or not
        self._any_progress = asyncio.Event()
        self._result: Mapping[str, Any] | None = None
        self._acknowledged = asyncio.Event()

    def progress(self, message: Mapping[str, Any]) -> None:
        """Have this progress sent; of several within a tenth of a second only the newest is."""
        self._progress = message
        self._any_progress.set()

    async def send_progress(self) -> None:
        """Send progress as it comes, until cancelled."""
        while True:
            await self._any_progress.wait()
            await self._send_newest()
            await asyncio.sleep(self._pace.progress)

    async def again(self) -> None:
        """Send what the last connection may have lost."""
        self._any_progress.set()
        await self._send_newest()
        if self._result is not None:
            await self._send(self._result)

    async def deliver(self, result: Mapping[str, Any], leaving: asyncio.Event) -> None:
        """Send a result until it is settled. When the worker is leaving, that is tried for `farewell` seconds more."""
        loop = asyncio.get_running_loop()
        await self._send_newest()
        self._result = result
        give_up: float | None = None
        while not self._acknowledged.is_set():
            await self._send(result)
            with suppress(TimeoutError):
                async with asyncio.timeout(
                    self._pace.resend
                ):  # wait_for loses a cancellation that comes with the event
                    await self._acknowledged.wait()
            if leaving.is_set():
                give_up = give_up or loop.time() + self._pace.farewell
                if loop.time() > give_up:
                    log.warning("nobody took the result of task %s", result["task_id"])
                    break
        self._result = self._progress = None
        self._acknowledged.clear()

    def acknowledge(self, message: Mapping[str, Any]) -> None:
        """The gateway has the result, or has no use for it. Acknowledgements that came already change nothing."""
        if self._result is None or message.get("task_id") != self._result["task_id"]:
            return
        taken, reason = message.get("received") is True, message.get("reason", "no reason given")
        if not taken:
            log.warning("the result of task %s was not taken: %s", message["task_id"], reason)
        if taken or reason not in TRANSIENT:
            self._acknowledged.set()

    async def _send_newest(self) -> None:
        """Send the newest progress unless it was; what a breaking connection swallows is sent by `again`."""
        if self._any_progress.is_set():
            self._any_progress.clear()
            if self._progress is not None:
                await self._send(self._progress)
