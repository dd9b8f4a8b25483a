"""Work that comes down a WebSocket which this server opens: nobody has to reach it, and it can be told at once."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

from dispatcher_sdk import _json
from dispatcher_sdk._wire import quiet
from dispatcher_sdk.backend.calls import Call, Calls, MakeReporter
from dispatcher_sdk.backend.job import Job, Outcome
from dispatcher_sdk.backend.membership import Membership
from dispatcher_sdk.backend.outgoing import MOST_BYTES as MOST_SENT
from dispatcher_sdk.backend.outgoing import Outgoing
from dispatcher_sdk.backend.pull import job
from dispatcher_sdk.errors import ConnectionFailed
from dispatcher_sdk.models import ClaimedTask

log = logging.getLogger("dispatcher_sdk.backend")

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 15.0
MOST_BYTES = 64 << 20  # of a message from the gateway: the payload's bound is the gateway's business
TOO_BIG = 1009
TOLD = (1008, 1012, 1013)  # the gateway says why it closes, and it is no message
UNKNOWN = (4401, 4403, 4404)  # who we are is not known (any more)
TRANSIENT = ("UNAVAILABLE", "RATE_LIMITED")
BUSY = 503


class Socket:
    """Holds one connection, opened again whenever it breaks. Ends go through `outgoing`."""

    def __init__(
        self,
        url: str,
        calls: Calls,
        reporter: MakeReporter,
        outgoing: Outgoing,
        *,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        rng: random.Random | None = None,
    ) -> None:
        self._url = "ws" + url.removeprefix("http").rstrip("/")
        self._calls = calls
        self._reporter = reporter
        self._outgoing = outgoing
        self._sleep = sleep
        self._rng = rng or random.Random()  # noqa: S311 - jitter
        self._failures = 0
        self._asked = 0  # tasks asked for over this connection that have not come
        self._room = asyncio.Event()
        self._draining = False
        self._telling: set[asyncio.Task[Any]] = set()

    async def open(self) -> None:
        """Nothing to do: nobody calls."""

    async def work(self, membership: Membership) -> None:
        """Take in tasks and send reports; a gateway that is away is tried again and again, with full jitter."""
        while True:
            try:
                await self._connect(membership)
            except ConnectionClosed as closed:
                code = closed.rcvd.code if closed.rcvd else None
                log.warning("the socket was closed: %s", closed)
                if code == TOO_BIG:
                    self._outgoing.too_large()
                elif code in UNKNOWN:
                    await membership.rejoin()
                elif code not in TOLD:
                    self._outgoing.broken()
            except (OSError, TimeoutError, InvalidHandshake, InvalidURI, ValueError) as error:
                log.warning("no socket to the gateway: %s", error)
            finally:
                self._outgoing.lost()
            longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2**self._failures)
            self._failures = min(self._failures + 1, 10)
            await self._sleep(self._rng.uniform(0, longest))

    async def drain(self) -> None:
        """Ask for no more; what still comes is handed back."""
        self._draining = True

    async def abandon(self) -> None:
        """Hand back what is running still."""
        running = [(job.task_id, job.attempt) for job in self._calls.jobs]
        for key in running:
            if key not in self._outgoing:
                await self._outgoing.release(key)

    async def close(self, grace: float) -> None:
        """Finish telling what needed no call."""
        if self._telling:
            await asyncio.wait(self._telling, timeout=grace)
        for task in self._telling:
            task.cancel()
        self._outgoing.close()

    async def _connect(self, membership: Membership) -> None:
        headers = {"Authorization": f"Bearer {membership.token}"}
        url = f"{self._url}/api/servers/{membership.server_id}/socket"
        connecting = connect(url, additional_headers=headers, max_size=MOST_BYTES, compression=None, logger=quiet)
        async with connecting as socket:
            welcome = _read(await socket.recv())
            if welcome.get("type") != "welcome":  # the reason to close comes first
                log.warning("the gateway refused the socket: %s", welcome.get("details"))
                await socket.recv()
                return
            self._failures = 0
            self._asked = 0
            await self._say_how_it_is(
                socket, membership
            )  # before the first task: a new start loses what was given to it
            self._room.set()
            await self._outgoing.connected(sender(socket), int(welcome.get("maxMessage", MOST_SENT)))
            await _first_of(
                self._listen(socket, membership),
                self._ask(socket),
                self._beat(socket, membership, welcome["heartbeatMs"] / 1000),
            )

    async def _ask(self, socket: ClientConnection) -> None:
        while True:
            await self._room.wait()
            self._room.clear()
            slots = self._calls.free - self._asked
            if slots > 0 and not self._draining:
                self._asked += slots
                await socket.send(_json.dumps({"type": "ready", "slots": slots}).decode())

    async def _beat(self, socket: ClientConnection, membership: Membership, interval: float) -> None:
        while True:
            await self._sleep(interval)
            await self._say_how_it_is(socket, membership)

    async def _say_how_it_is(self, socket: ClientConnection, membership: Membership) -> None:
        await socket.send(_json.dumps({"type": "heartbeat", **membership.vitals()}).decode())

    async def _listen(self, socket: ClientConnection, membership: Membership) -> None:
        while True:
            message = _read(await socket.recv())  # iterating would pass over a close without a code
            match message.get("type"):
                case "task":
                    self._asked = max(0, self._asked - 1)
                    self._start(job(ClaimedTask.model_validate(message["task"])))
                case "control":
                    self._control(message["action"], message["taskId"], message["attempt"])
                case "ack":
                    refused = None if message["accepted"] else message.get("code", "")
                    self._outgoing.answered((message["taskId"], message["attempt"]), refused)
                case "error":
                    self._complain(message)
                case "pong":
                    membership.adopt(message.get("serverToken"))

    def _start(self, claimed: Job) -> None:
        key = (claimed.task_id, claimed.attempt)
        if self._draining:
            return self._spawn(self._outgoing.release(key))
        admitted = self._calls.admit(claimed)
        if isinstance(admitted, Call):
            admitted.done.add_done_callback(lambda _: self._room.set())
            return None
        self._room.set()
        if admitted.status == BUSY:
            return self._spawn(self._outgoing.release(key))
        return self._spawn(self._end(claimed, admitted))  # known already, or refused: there is no call that would tell

    async def _end(self, claimed: Job, outcome: Outcome) -> None:
        await self._reporter(claimed, lambda: None).end(outcome)

    def _control(self, action: str, task_id: str, attempt: int) -> None:
        match action:
            case "stop":
                self._spawn(self._stop(task_id, attempt))
            case "pause" | "resume":
                self._calls.pause(task_id, attempt, action == "pause")
            case _:
                log.warning("the gateway says something unknown about task %s: %s", task_id, action)

    async def _stop(self, task_id: str, attempt: int) -> None:
        """Cancel a call: its end frees the slot. What does not run here holds none."""
        if not any(job.task_id == task_id and job.attempt <= attempt for job in self._calls.jobs):
            await self._outgoing.release((task_id, attempt))
        await self._calls.cancel(task_id, attempt, 0)

    def _complain(self, message: dict[str, Any]) -> None:
        """An error: about a report when it names one."""
        log.warning("the gateway refused a message: %s", message.get("details"))
        key, code = (message.get("taskId", ""), message.get("attempt", 0)), message.get("code", "")
        if code in TRANSIENT:
            self._outgoing.again(key)
        elif key in self._outgoing and code == "INVALID_REQUEST":
            self._outgoing.answered(key, code)
        elif key[0] and code != "INVALID_REQUEST":  # of progress: the gateway has moved on, or forgotten the task
            self._spawn(self._calls.cancel(*key, 0))

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)


def _read(text: str | bytes) -> dict[str, Any]:
    message = _json.loads(text.encode() if isinstance(text, str) else text)
    if not isinstance(message, dict):
        raise ValueError("a message of the gateway is no object")
    return message


def sender(socket: ClientConnection) -> Callable[[str], Awaitable[None]]:
    """Sends over this connection. What it raises is ConnectionFailed."""

    async def send(text: str) -> None:
        try:
            await socket.send(text)
        except ConnectionClosed as closed:
            raise ConnectionFailed(str(closed), sent=True) from None

    return send


async def _first_of(*work: Any) -> None:
    """Until one has ended; the others are cancelled."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
