"""Telling workers what to do over their control channel."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

from dispatcher.domain.command import Command, CommandState, NewCommand
from dispatcher.domain.errors import NotFound
from dispatcher.domain.event import FleetEvent
from dispatcher.domain.ids import is_id
from dispatcher.service.ports import CommandStore
from dispatcher.service.retry import OUTAGE

LOOK_AGAIN_S = 5.0  # a lost event costs so much and never a command

Send = Callable[[Command], Awaitable[None]]
Ended = Callable[[Command], Awaitable[None]]


class Commands:
    """Commands reach the worker through whichever gateway holds its connection. They are delivered at least once, in
    order; the worker does each id once."""

    def __init__(self, commands: CommandStore) -> None:
        self._commands = commands
        self._listening: dict[str, set[asyncio.Event]] = {}
        self._ended: list[Ended] = []

    def on_end(self, ended: Ended) -> None:
        """Call this with every command whose end is reported through this gateway."""
        self._ended.append(ended)

    async def send(self, command: NewCommand) -> Command:
        """Keep a command until its worker acknowledges it or its deadline passes. Raises as `CommandStore.enqueue`."""
        return await self._commands.enqueue(command)

    async def get(self, command_id: str) -> Command:
        """Raises NotFound."""
        return await self._commands.get(command_id)

    async def report(self, server_id: str, command_id: str, state: CommandState, detail: str = "") -> Command:
        """What a worker says of a command: ACKED, DONE or FAILED. `detail` is JSON of a success or the text of a
        failure. A repeat changes nothing. Raises NotFound."""
        if not is_id(command_id):
            raise NotFound(f"Command not found: {command_id[:80]}")
        command = await self._commands.report(server_id, command_id, state, detail)
        if command.state.ended:
            for ended in self._ended:
                await ended(command)
        return command

    async def deliver(self, server_id: str, send: Send) -> None:
        """Send a worker its commands over one connection, each once and again over the next one until it is
        acknowledged. Runs until cancelled, or until `send` raises."""
        sent: set[str] = set()
        with self._listen(server_id) as woken:
            while True:
                woken.clear()
                for command in await self._new(server_id, sent):
                    await send(command)
                    sent.add(command.id)
                    with suppress(*OUTAGE):  # a word for those who look, no more
                        await self._commands.report(server_id, command.id, CommandState.SENT)
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_AGAIN_S):
                        await woken.wait()

    async def _new(self, server_id: str, sent: set[str]) -> list[Command]:
        """Those that were not sent over this connection; none while the store is out of reach."""
        try:
            pending = await self._commands.pending(server_id)
        except OUTAGE:
            return []
        sent &= {command.id for command in pending}
        return [command for command in pending if command.id not in sent]

    def publish(self, event: FleetEvent) -> None:
        """A change of the fleet: a new command wakes the connection of its worker, if it is here."""
        if event.type == "command":
            for woken in self._listening.get(event.fields.get("id", ""), ()):
                woken.set()

    @contextmanager
    def _listen(self, server_id: str) -> Iterator[asyncio.Event]:
        woken = asyncio.Event()
        self._listening.setdefault(server_id, set()).add(woken)
        try:
            yield woken
        finally:
            self._listening[server_id].discard(woken)
            if not self._listening[server_id]:
                del self._listening[server_id]
