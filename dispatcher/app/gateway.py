"""A gateway as a whole: what runs, and in which order it starts and stops."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp

from dispatcher.app.durability import durability_problems
from dispatcher.dialects.dialect import Dialect
from dispatcher.domain.errors import DispatchError
from dispatcher.loops.presence import Presence
from dispatcher.loops.runner import Runner
from dispatcher.service.dispatch import Dispatch
from dispatcher.service.duties import Duties
from dispatcher.service.services import Services
from dispatcher.service.waits import Waits
from dispatcher.settings import Settings

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Draining:
    """True once this gateway is about to stop; read by its health pages."""

    on: bool = False

    def __call__(self) -> bool:
        return self.on


@dataclass(eq=False, slots=True)
class Gateway:
    """One gateway process. `asgi` serves all dialects; `apps` has one application per configured listener,
    `dialects` is by name and by what they ask of callers ("required" or "none" for tokens)."""

    id: str
    settings: Settings
    services: Services
    dispatch: Dispatch
    waits: Waits
    duties: Duties
    presence: Presence
    draining: Draining
    closing: Sequence[Callable[[], Awaitable[Any]]]
    seal_key: Callable[[str, str], bytes]
    runner: Runner = field(init=False)
    asgi: ASGIApp = field(init=False)
    apps: list[ASGIApp] = field(init=False)
    dialects: dict[tuple[str, str], Dialect] = field(init=False)

    async def durability_problems(self) -> list[str]:
        """Why the store must not be used in production. Raises Unavailable when it cannot be reached."""
        await self.services.coordination.ping()
        store = self.settings.store
        return durability_problems(
            await self.services.coordination.durability(),
            loss_window_ms=store.loss_window,
            asserted=store.durability_asserted,
        )

    async def start(self) -> None:
        """Begin the background duties; without effect when begun."""
        await self.runner.start()

    def begin_drain(self) -> None:
        """Not ready from now on; all else goes on."""
        self.draining.on = True

    async def drain(self, timeout_s: float) -> None:
        """Take no more work, let the running work end; leases are kept meanwhile."""
        self.begin_drain()
        await self.services.workers.drain()
        await self.services.sessions.drain()
        await self.services.logs.drain()
        await self.dispatch.drain(timeout_s)

    def end_waits(self) -> None:
        """Answer who waits here for the end of a task with the task as it stands."""
        self.waits.give_up()

    async def stop(self) -> None:
        """Stop the duties, let requests to cancel go out, tell the others, close every connection.

        After `drain`, or without when there is no time. Without a store the others find out by themselves.
        """
        async with AsyncExitStack() as closing:
            for close in reversed(self.closing):
                closing.push_async_callback(close)
            was_running = self.runner.running
            await self.runner.stop()
            await self.duties.close()
            await self.services.tasks.close()  # while there is a client and a store to tell a server to stop
            if was_running:
                try:
                    await self.presence.leave()
                except DispatchError as error:
                    log.warning("stopped without telling the other gateways: %s", error.message)

    @asynccontextmanager
    async def lifespan(self, _: Any) -> AsyncIterator[None]:
        """For ASGI servers that are not started by our launcher."""
        await self.start()
        try:
            yield
        finally:
            await self.drain(self.settings.server.drain_timeout / 1000)
            await self.stop()
