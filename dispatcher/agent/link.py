"""The socket to the gateway: opened by the agent, and again whenever it breaks, with full jitter between the tries."""

import json
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

from dispatcher.agent.api import Identity
from dispatcher.agent.outgoing import MOST_BYTES as MOST_SENT
from dispatcher.agent.pace import Sleep

log = logging.getLogger("dispatcher.agent")

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 15.0
MOST_BYTES = 64 << 20  # of a message from the gateway: the payload's bound is the gateway's business
TOO_BIG = 1009
POLICY = 1008
TOLD = (POLICY, 1012, 1013)  # the gateway says why it closes, and it is no message
UNKNOWN = (4401, 4403, 4404)  # who we are is not known (any more)

Send = Callable[[str], Awaitable[None]]


class Unwelcome(Exception):
    """The gateway does not know who we are, or does not let us in."""


class Replaced(Exception):
    """Another program is this worker now."""


class TooBig(Exception):
    """The gateway closed the socket over the size of a message."""


class Broken(ConnectionError):
    """The socket ended and the gateway did not say why: perhaps over a message."""


class Connection:
    """One socket that was welcomed. `heartbeat_s` is what the gateway asks for, `most_bytes` the size it takes."""

    def __init__(self, socket: ClientConnection, heartbeat_s: float, most_bytes: int) -> None:
        self._socket = socket
        self.heartbeat_s = heartbeat_s
        self.most_bytes = most_bytes

    async def send(self, text: str) -> None:
        """Raises ConnectionError when it is broken."""
        try:
            await self._socket.send(text)
        except ConnectionClosed as closed:
            meaning = _meaning(closed)
            raise meaning if isinstance(meaning, ConnectionError) else ConnectionError(str(closed)) from None

    async def messages(self) -> AsyncIterator[dict[str, Any]]:
        """What comes, until the socket ends: then it raises ConnectionError, Unwelcome, Replaced or TooBig."""
        while True:
            try:
                yield _read(await self._socket.recv())
            except ConnectionClosed as closed:
                raise _meaning(closed) from None


class Pauses:
    """Between tries: each drawn evenly from 0 to a ceiling that doubles, until `reset`."""

    def __init__(self, rng: random.Random, sleep: Sleep) -> None:
        self._rng = rng
        self._sleep = sleep
        self._failures = 0

    def reset(self) -> None:
        self._failures = 0

    async def wait(self) -> None:
        longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**self._failures)
        self._failures = min(self._failures + 1, 10)
        await self._sleep(self._rng.uniform(0, longest))


@asynccontextmanager
async def connected(url: str, me: Identity, boot_id: str) -> AsyncIterator[Connection]:
    """A socket that was welcomed. An older one of the same `boot_id`, of which the gateway may not know yet that it is
    broken, is no other program's. Raises ConnectionError, Unwelcome, Replaced, ValueError for an answer that is
    none."""
    address = f"ws{url.removeprefix('http').rstrip('/')}/api/servers/{me.server_id}/socket?bootId={boot_id}"
    try:
        socket = await connect(
            address, additional_headers=me.authorization, max_size=MOST_BYTES, compression=None, proxy=None
        )
    except (OSError, TimeoutError, InvalidHandshake, InvalidURI) as error:
        raise ConnectionError(f"no socket to the gateway: {error}") from None
    async with socket:
        try:
            welcome = _read(await socket.recv())
            if welcome.get("type") != "welcome":  # the reason to close comes first
                log.warning("the gateway refused the socket: %s", welcome.get("details"))
                await socket.recv()
                raise ConnectionError("the gateway sent no welcome")
        except ConnectionClosed as closed:
            raise _meaning(closed) from None
        yield Connection(socket, welcome["heartbeatMs"] / 1000, int(welcome.get("maxMessage", MOST_SENT)))


def _meaning(closed: ConnectionClosed) -> Exception:
    code = closed.rcvd.code if closed.rcvd else None
    if code in UNKNOWN:
        return Unwelcome(str(closed))
    if closed.rcvd is not None and (code, closed.rcvd.reason) == (POLICY, "replaced"):
        return Replaced(str(closed))
    if code == TOO_BIG:
        return TooBig(str(closed))
    return ConnectionError(str(closed)) if code in TOLD else Broken(str(closed))


def _read(text: str | bytes) -> dict[str, Any]:
    message = json.loads(text)
    if not isinstance(message, dict):
        raise ValueError("a message of the gateway is no object")
    return message
