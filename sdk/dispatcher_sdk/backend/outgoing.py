"""Reports on their way down a socket: an end is sent over every new connection until it is acknowledged."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from dispatcher_sdk import _json
from dispatcher_sdk.backend.job import Job
from dispatcher_sdk.errors import ConnectionFailed

log = logging.getLogger("dispatcher_sdk.backend")

Key = tuple[str, int]  # task, attempt
Send = Callable[[str], Awaitable[None]]

AGAIN = 1.0  # seconds until an end is sent again that the gateway could not record
MOST_BYTES = 8 << 20  # of a message, where the gateway does not say
SUSPECT_BYTES = 64 << 10  # a smaller end breaks no connection by its size
SUSPECT_BREAKS = 3  # of connections over which an end was the largest without an answer: then it is too large
_TOO_LARGE = b'{"status":"FAILED","error":"The result is too large for the gateway","retryable":false}'


@dataclass(slots=True)
class Unanswered:
    """An end that was not acknowledged. `answer` is None, or the code of its refusal."""

    body: bytes
    breaks: int = 0
    answer: asyncio.Future[str | None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Outgoing:
    """What the reporters of calls send through; `put` is theirs."""

    def __init__(self, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
        self._sleep = sleep
        self._send: Send | None = None
        self._most_bytes = MOST_BYTES
        self._ends: dict[Key, Unanswered] = {}
        self._sent: set[Key] = set()  # ends that this connection carried and that have no answer
        self._first: set[Key] = set()  # to be acknowledged before a suspect is sent
        self._suspects: list[Key] = []  # sent last over this connection, one after another
        self._again: set[asyncio.Task[None]] = set()

    async def put(self, job: Job, body: bytes, retries: int) -> None:
        """Send a report: an end (`retries` > 0) until it is answered, anything else once. Raises ConnectionFailed for
        the latter without a connection."""
        key = (job.task_id, job.attempt)
        if retries == 0:
            await self._tell("progress", key, body)
            return
        end = self._ends.setdefault(key, Unanswered(body))
        await self._try(key)
        refused = await end.answer
        if refused is not None:
            log.warning("the end of task %s was not taken: %s", job.task_id, refused)

    async def release(self, key: Key) -> None:
        """Hand a task back, if there is a connection."""
        try:
            await self._tell("release", key, b"{}")
        except ConnectionFailed:
            log.debug("task %s could not be handed back", key[0])

    async def connected(self, send: Send, most_bytes: int = MOST_BYTES) -> None:
        """There is a connection, for messages of so many bytes: send all that was not acknowledged, the smallest first.
        What may have broken earlier ones waits until the others are acknowledged."""
        self._send, self._most_bytes = send, most_bytes
        order = sorted(self._ends, key=self._size)
        self._suspects = [key for key in order if self._ends[key].breaks]
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

    def answered(self, key: Key, refused: str | None) -> None:
        """The gateway has recorded an end, or refused it for good."""
        end = self._ends.pop(key, None)
        if end is not None and not end.answer.done():
            end.answer.set_result(refused)
        self._sent.discard(key)
        self._first.discard(key)
        self._go_on()

    def again(self, key: Key) -> bool:
        """The gateway could not look at an end: send it once more in a moment. False when none is on its way."""
        if key not in self._ends:
            return False
        self._sent.discard(key)
        self._ends[key].breaks = 0  # it came through
        self._spawn(self._later(key))
        return True

    def too_large(self) -> None:
        """The connection was closed over the size of a message: the largest result is given up."""
        if self._ends:
            self._give_up(max(self._ends, key=self._size))

    def broken(self) -> None:
        """The connection broke and nothing says why. An ASGI server or a proxy may do so over the size of a message:
        the largest end without an answer is suspected, and given up when it was so several times."""
        key = max(self._sent, key=self._size, default=None)
        if key is None or self._size(key) < SUSPECT_BYTES:
            return
        self._ends[key].breaks += 1
        if self._ends[key].breaks >= SUSPECT_BREAKS:
            self._give_up(key)

    def close(self) -> None:
        """Try nothing again."""
        for task in self._again:
            task.cancel()

    def __contains__(self, key: object) -> bool:
        return key in self._ends

    def _size(self, key: Key) -> int:
        return len(self._ends[key].body)

    def _give_up(self, key: Key) -> None:
        log.warning("the result of task %s is too large: %d bytes", key[0], self._size(key))
        self._ends[key].body, self._ends[key].breaks = _TOO_LARGE, 0

    def _go_on(self) -> None:
        """The next suspect, when everything before it is acknowledged."""
        if self._suspects and not self._first:
            key = self._suspects.pop(0)
            self._first = {key}
            self._spawn(self._try(key))

    def _spawn(self, sending: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(sending)
        self._again.add(task)
        task.add_done_callback(self._again.discard)

    async def _later(self, key: Key) -> None:
        await self._sleep(AGAIN)
        await self._try(key)

    async def _try(self, key: Key) -> None:
        if key in self._ends and self._send is not None:
            if self._size(key) + len(_frame("result", key, b"{}")) > self._most_bytes:
                self._give_up(key)
            self._sent.add(key)
            try:
                await self._tell("result", key, self._ends[key].body)
            except ConnectionFailed:
                return  # the next connection brings it

    async def _tell(self, kind: str, key: Key, body: bytes) -> None:
        if self._send is None:
            raise ConnectionFailed("there is no socket to the gateway", sent=False)
        await self._send(_frame(kind, key, body).decode())


def _frame(kind: str, key: Key, body: bytes) -> bytes:
    head = _json.dumps({"type": kind, "taskId": key[0], "attempt": key[1]})
    members = body[1:] if len(body) <= 2 else b"," + body[1:]
    return head[:-1] + members
