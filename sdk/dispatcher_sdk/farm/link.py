"""One WebSocket to the gateway, opened again whenever it breaks."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from dispatcher_sdk._wire import quiet

try:
    from websockets.asyncio.client import ClientConnection, connect
    from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
except ImportError as missing:  # pragma: no cover - needs an environment without it
    raise ImportError("the farm client needs a WebSocket: pip install './sdk[socket]' in a clone") from missing

log = logging.getLogger("dispatcher_sdk.farm")

MESSAGE_BYTES = 1024 * 1024
PONG_SECONDS = 10  # a connection that is silent for so long after a ping is dead
POLICY = 1008  # close code: the token, the Client-ID, or another connection with that Client-ID
FINAL = (400, 401, 403)


class Refused(Exception):
    """The gateway does not want this client: its token, its Client-ID, or another one took its place."""


@dataclass(frozen=True)
class Pace:
    """How often, in seconds."""

    heartbeat: float = 10.0
    progress: float = 0.1  # at most one report of progress in this time; the newest counts
    resend: float = 5.0  # a result without an acknowledgement
    farewell: float = 10.0  # for the acknowledgement of the last result
    first_pause: float = 1.0  # before connecting again: any time up to this, doubled with every failure
    longest_pause: float = 30.0


class Link:
    """`opened` is awaited whenever the connection stands, `received` is given every message."""

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        *,
        opened: Callable[[], Awaitable[None]],
        received: Callable[[str | bytes], None],
        pace: Pace,
        rng: Callable[[], float] = random.random,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._url = url
        self._headers = dict(headers)
        self._opened = opened
        self._received = received
        self._pace = pace
        self._rng = rng
        self._sleep = sleep
        self._socket: ClientConnection | None = None

    async def keep(self) -> None:
        """Stay connected until cancelled, which closes with 1000. Raises Refused."""
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            since = loop.time()
            try:
                await self._once()
            except InvalidStatus as error:
                if error.response.status_code in FINAL:
                    raise Refused(f"{self._url} answers {error.response.status_code}") from None
                log.warning("%s answers %s", self._url, error.response.status_code)
            except (OSError, InvalidHandshake) as error:  # OSError: TimeoutError as well
                log.warning("no connection to %s: %s", self._url, error or type(error).__name__)
            failures = 0 if loop.time() - since > self._pace.longest_pause else failures
            # full jitter: the clients of a gateway that went away do not come back all at once
            await self._sleep(self._rng() * min(self._pace.longest_pause, self._pace.first_pause * 2**failures))
            failures = min(failures + 1, 16)

    async def send(self, text: str) -> bool:
        """Send if there is a connection; whether it went out, which is no promise that it arrives."""
        if self._socket is None:
            return False
        try:
            await self._socket.send(text)
        except ConnectionClosed:
            return False
        return True

    async def _once(self) -> None:
        """One connection, from the handshake to its end."""
        async with connect(
            self._url,
            additional_headers=self._headers,
            max_size=MESSAGE_BYTES,
            ping_interval=self._pace.heartbeat,
            ping_timeout=PONG_SECONDS,
            logger=quiet,
        ) as socket:
            log.info("connected to %s", self._url)
            self._socket = socket
            try:
                with suppress(ConnectionClosed):
                    await self._opened()
                    async for text in socket:
                        self._received(text)
            finally:
                self._socket = None
                await socket.close()  # 1000, also when cancelled, for which the context manager would say 1011
        if socket.close_code == POLICY:
            raise Refused(socket.close_reason or "policy violation")
        log.warning("the connection ended: %s %s", socket.close_code, socket.close_reason or "")
