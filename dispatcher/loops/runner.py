"""Runs background duties over and over."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from dispatcher.service.background import where
from dispatcher.service.retry import Sleep

log = logging.getLogger(__name__)

JITTER = 0.1


@dataclass(frozen=True, slots=True)
class Loop:
    """A duty, and the pause after each of its rounds in seconds. A round that never returns (a stream) is begun again
    when it fails."""

    name: str
    run_once: Callable[[], Awaitable[object]]
    interval_s: float


class Runner:
    """Starts and stops loops; a round that fails is logged, and the next one comes all the same.

    Pauses vary by a tenth either way, so that gateways that started together do not stay in step.
    """

    def __init__(self, loops: Sequence[Loop], *, rng: random.Random, sleep: Sleep = asyncio.sleep) -> None:
        self._loops = loops
        self._rng = rng
        self._sleep = sleep
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def names(self) -> list[str]:
        """Of the duties, in the order of their start."""
        return [loop.name for loop in self._loops]

    @property
    def running(self) -> bool:
        return bool(self._tasks)

    async def start(self) -> None:
        """Without effect while running."""
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._run(loop), name=loop.name) for loop in self._loops]

    async def stop(self) -> None:
        """End all loops and wait until they have; without effect when stopped."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _run(self, loop: Loop) -> None:
        failed = False
        while True:
            try:
                await loop.run_once()
            except Exception as error:  # noqa: BLE001 - whatever it is, the duty has to go on
                if not failed:  # an outage would fill the log otherwise
                    log.warning("loop %s fails: %s", loop.name, where(error))
                failed = True
            else:
                if failed:
                    log.info("loop %s works again", loop.name)
                failed = False
            await self._sleep(loop.interval_s * self._rng.uniform(1 - JITTER, 1 + JITTER))
