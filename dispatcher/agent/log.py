"""What a task says, on its way to the gateway: in batches, each line numbered, none twice."""

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from dispatcher.agent.errors import Refused, Unreachable
from dispatcher.agent.pace import Pace, Sleep

log = logging.getLogger("dispatcher.agent")

Line = dict[str, Any]
Send = Callable[[int, list[Line]], Awaitable[None]]  # (number of the first, lines)

MOST_KEPT = 10_000  # lines that wait to be sent
EXTRA = 2 * (64 + 16) * 1024  # lines, if each is empty, in two pipes and in what is read of them at once
HELD_S = 10.0
BATCH = 1_000  # lines, the most that the gateway takes at once
BATCH_CHARS = 600 * 1024  # up to six bytes each in JSON, within the 4 MiB that the gateway takes
GATHER_S = 0.1  # lines that come together are sent together
LONGEST_PAUSE_S = 10.0


class TaskLog:
    """Of one attempt. With `most` lines waiting whoever writes should wait for `room`: the gateway is slower than the
    task. When it has taken nothing for `held_s` it counts as out of reach: then no task is held up, further lines are
    dropped until it is back, and a line in their place says how many. `pace` is shared by all logs of a worker."""

    def __init__(
        self,
        send: Send,
        *,
        rng: random.Random,
        pace: Pace | None = None,
        most: int = MOST_KEPT,
        held_s: float = HELD_S,
        sleep: Sleep = asyncio.sleep,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._send = send
        self._rng = rng
        self._pace = pace or Pace(sleep)
        self._most = most
        self._held_s = held_s
        self._sleep = sleep
        self._now = now
        self._lines: deque[Line] = deque()
        self._first = 1  # the number of the first of them
        self._dropped = 0
        self._came = asyncio.Event()
        self._went = asyncio.Event()  # some were taken
        self._closed = False
        self._refused = False
        self._away = False

    @property
    def full(self) -> bool:
        """Whether there is a `room` to wait for."""
        return len(self._lines) >= self._most and not (self._away or self._refused)

    async def room(self) -> None:
        """Wait until the gateway has taken some of many lines, or is out of reach."""
        while self.full:
            self._went.clear()
            try:
                async with asyncio.timeout(self._held_s):
                    await self._went.wait()
            except TimeoutError:
                self._away = True

    def write(self, stream: str, text: str, partial: bool = False) -> None:
        """A line of `stdout` or `stderr`, without its end, or a part of one that goes on. What was read already is kept
        also without room."""
        if self._refused:
            return
        if len(self._lines) >= self._limit:
            self._dropped += 1
            return
        self._mark()
        self._keep(stream, text, partial)

    async def run(self) -> None:
        """Send until `close` and all is sent, or until the gateway wants no more of it."""
        while not self._refused:
            while not (self._lines or self._closed):
                self._came.clear()
                await self._came.wait()
            if not self._closed and len(self._lines) < BATCH:
                await self._sleep(GATHER_S)
            self._mark()
            if not self._lines:
                return
            await self._pace.turn()
            batch = self._batch()
            if await self._sent(batch):
                for _ in batch:
                    self._lines.popleft()
                self._first += len(batch)
                self._away = False
                self._mark()
            self._went.set()

    def close(self) -> None:
        """There will be no further line."""
        self._closed = True
        self._came.set()

    @property
    def _limit(self) -> int:
        return self._most if self._away else self._most + EXTRA

    def _mark(self) -> None:
        if self._dropped and len(self._lines) < self._limit:
            count, self._dropped = self._dropped, 0
            self._keep("stderr", f"[{count} line{'s' if count > 1 else ''} dropped]")

    def _keep(self, stream: str, text: str, partial: bool = False) -> None:
        line = {"stream": stream, "text": text, "at": int(self._now() * 1000)}
        self._lines.append(line | {"partial": True} if partial else line)
        self._came.set()

    def _batch(self) -> list[Line]:
        found: list[Line] = []
        room = BATCH_CHARS
        for line in self._lines:
            room -= len(line["text"])
            if found and (room < 0 or len(found) == BATCH):
                break
            found.append(line)
        return found

    async def _sent(self, batch: list[Line]) -> bool:
        """Try until it is taken; False when it never will be."""
        pause = 0.5
        while True:
            try:
                await self._send(self._first, batch)
            except (Unreachable, Refused) as error:
                if isinstance(error, Refused) and not error.passing:
                    log.warning("lines were not taken: %s", error)
                    self._refused = True
                    return False
            else:
                return True
            await self._sleep(self._rng.uniform(0, pause))
            pause = min(2 * pause, LONGEST_PAUSE_S)
            await self._pace.turn()
