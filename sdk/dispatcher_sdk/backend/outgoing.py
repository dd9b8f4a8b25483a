"""Reports on their way down a socket: an end is sent over every new connection until it is acknowledged."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from dispatcher_sdk import _json
from dispatcher_sdk.backend.job import Job
from dispatcher_sdk.errors import ConnectionFailed

log = logging.getLogger("dispatcher_sdk.backend")

Key = tuple[str, int]  # task, attempt
Send = Callable[[str], Awaitable[None]]

AGAIN = 1.0  # seconds until an end is sent again that the gateway could not record
_TOO_LARGE = b'{"status":"FAILED","error":"The result is too large for the gateway","retryable":false}'


@dataclass(slots=True)
class Unanswered:
    """An end that was not acknowledged. `answer` is None, or the code of its refusal."""

    body: bytes
    answer: asyncio.Future[str | None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Outgoing:
    """What the reporters of calls send through; `put` is theirs."""

    def __init__(self, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
        self._sleep = sleep
        self._send: Send | None = None
        self._ends: dict[Key, Unanswered] = {}
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

    async def connected(self, send: Send) -> None:
        """There is a connection: send all that was not acknowledged."""
        self._send = send
        for key in list(self._ends):
            await self._try(key)

    def lost(self) -> None:
        """There is none any more."""
        self._send = None

    def answered(self, key: Key, refused: str | None) -> None:
        """The gateway has recorded an end, or refused it for good."""
        end = self._ends.pop(key, None)
        if end is not None and not end.answer.done():
            end.answer.set_result(refused)

    def again(self, key: Key) -> bool:
        """The gateway could not look at an end: send it once more in a moment. False when none is on its way."""
        if key not in self._ends:
            return False
        task = asyncio.get_running_loop().create_task(self._later(key))
        self._again.add(task)
        task.add_done_callback(self._again.discard)
        return True

    def too_large(self) -> None:
        """The connection was closed over the size of a message: the largest result is given up."""
        if self._ends:
            max(self._ends.values(), key=lambda end: len(end.body)).body = _TOO_LARGE

    def close(self) -> None:
        """Try nothing again."""
        for task in self._again:
            task.cancel()

    def __contains__(self, key: object) -> bool:
        return key in self._ends

    async def _later(self, key: Key) -> None:
        await self._sleep(AGAIN)
        await self._try(key)

    async def _try(self, key: Key) -> None:
        if key in self._ends:
            try:
                await self._tell("result", key, self._ends[key].body)
            except ConnectionFailed:
                return  # the next connection brings it

    async def _tell(self, kind: str, key: Key, body: bytes) -> None:
        if self._send is None:
            raise ConnectionFailed("there is no socket to the gateway", sent=False)
        head = _json.dumps({"type": kind, "taskId": key[0], "attempt": key[1]})
        members = body[1:] if len(body) <= 2 else b"," + body[1:]
        await self._send((head[:-1] + members).decode())
