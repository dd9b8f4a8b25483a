"""The server's place in the fleet: registered, heard of every five seconds, in maintenance while it drains, gone."""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from dispatcher_sdk.async_client import AsyncDispatcher
from dispatcher_sdk.errors import (
    ConnectionFailed,
    DispatcherError,
    NotFound,
    RateLimited,
    RequestTimeout,
    ServerError,
    Unauthorized,
)
from dispatcher_sdk.models import ClaimedTask

log = logging.getLogger("dispatcher_sdk.backend")

HEARTBEAT_INTERVAL = 5.0  # seconds
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 15.0
TRANSIENT = (ConnectionFailed, RequestTimeout, RateLimited, ServerError)


@dataclass(frozen=True)
class Profile:
    """What a server registers as."""

    name: str
    endpoints: Mapping[str, str] | None
    api_key: str | None = field(repr=False)
    max_concurrent: int = 1
    capabilities: Sequence[str] = ()
    groups: Sequence[str] = ()
    priority: int = 1
    transport: Literal["push", "pull", "socket"] = "push"


class Membership:
    """Keeps one server registered.

    Without `server_id` it registers with the client's token, which has to be an admin's, goes on with the token of its
    own that it is given, and unregisters at the end. With `server_id` the client's token is that server's; the
    registration is somebody else's and stays, and the end leaves it in maintenance.
    """

    def __init__(
        self,
        client: AsyncDispatcher,
        profile: Profile,
        *,
        server_id: str | None = None,
        running: Callable[[], Sequence[str]],
        figures: Callable[[], Mapping[str, float]],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._client = client
        self._own = client
        self.token = client.token  # what it shows
        self._profile = profile
        self._provisioned = server_id is not None
        self.server_id = server_id
        self._running = running
        self._figures = figures
        self._sleep = sleep
        self._boot_id = secrets.token_hex(8)

    async def join(self) -> None:
        """Take the place, trying until the gateway is there. Raises StatusError when it refuses."""
        pause = FIRST_PAUSE
        while True:
            try:
                await self._join_once()
            except TRANSIENT as error:
                log.warning("%s cannot register at %s yet: %s", self._profile.name, self._client.url, error)
                await self._sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                return

    def vitals(self) -> dict[str, object]:
        """What a heartbeat says."""
        running = list(self._running())
        return {
            "activeTasks": len(running), "running": running, "metrics": dict(self._figures()), "bootId": self._boot_id
        }  # fmt: skip

    async def beat(self) -> None:
        """Send one heartbeat; registers again when the gateway does not know the server any more. Never raises."""
        if self.server_id is None:
            return
        try:
            await self._beat_once(self.server_id)
        except (NotFound, Unauthorized) as error:
            log.warning("%s is not known as %s any more: %s", self._profile.name, self.server_id, error)
            await self.rejoin()
        except DispatcherError as error:
            log.warning("no heartbeat of %s: %s", self._profile.name, error)

    async def _beat_once(self, server_id: str) -> None:
        running = self._running()
        answer = await self._own.servers.heartbeat(
            server_id,
            active_tasks=len(running),
            metrics=self._figures(),
            running=running,
            boot_id=self._boot_id,
        )
        self.adopt(answer.server_token)

    async def beat_forever(self) -> None:
        """A heartbeat every five seconds, the first at once."""
        while True:
            await self.beat()
            await self._sleep(HEARTBEAT_INTERVAL)

    async def claim(self, wait: float) -> ClaimedTask | None:
        """The next task, None when there is none for `wait` seconds. Raises DispatcherError."""
        if self.server_id is None:
            return None
        return await self._own.servers.claim(self.server_id, wait=wait)

    async def drain(self) -> None:
        """Ask for no more work. A gateway that cannot be told finds the server busy instead."""
        if self.server_id is not None:
            await self._tell(self._own.servers.maintenance(self.server_id, True, reason="shutting down"))

    async def leave(self) -> None:
        """Give the place up. What a gateway misses of this it learns from the missing heartbeats."""
        if self.server_id is not None and not self._provisioned:
            await self._tell(self._own.servers.unregister(self.server_id))

    async def _join_once(self) -> None:
        if self._provisioned and self.server_id is not None:
            await self._beat_once(self.server_id)  # before there are tasks: a new start loses what it was given
            await self._own.servers.maintenance(self.server_id, False)
            return
        profile = self._profile
        answer = await self._client.servers.register(
            profile.name,
            profile.endpoints,
            api_key=profile.api_key,
            max_concurrent=profile.max_concurrent,
            capabilities=profile.capabilities,
            groups=profile.groups,
            priority=profile.priority,
            transport=profile.transport,
            idempotency_key=self._boot_id,  # one server per start, also when an answer got lost or it registers again
        )
        self.server_id = answer.server_id
        self.adopt(answer.server_token)

    async def rejoin(self) -> None:
        """Register again, where the registration is our own. Never raises."""
        if self._provisioned:
            return
        try:
            await self._join_once()
        except DispatcherError as error:
            log.warning("%s cannot register again: %s", self._profile.name, error)

    async def _tell(self, change: Awaitable[object]) -> None:
        try:
            await change
        except DispatcherError as error:
            log.warning("%s could not tell the gateway: %s", self._profile.name, error)

    def adopt(self, server_token: str | None) -> None:
        """Go on with a token of its own, when there is one."""
        if server_token:
            self.token = server_token
            self._own = self._client.with_options(token=server_token)
