"""Commands on their way to the worker's connection."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from dispatcher.domain.clock import ManualClock
from dispatcher.domain.command import Command, CommandState, NewCommand
from dispatcher.domain.errors import NotFound, Unavailable
from dispatcher.domain.event import FleetEvent
from dispatcher.domain.server import Transport
from dispatcher.service.commands import Commands
from dispatcher.store.memory import MemoryStore
from tests.store.world import new_server

ACKED, DONE = CommandState.ACKED, CommandState.DONE


class Line:
    """A worker with a connection, and what came over it."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore(self.clock)
        self.commands = Commands(self.store.commands)
        self.came: list[str] = []

    async def send(self, command_id: str) -> None:
        new = NewCommand(command_id, "s1", "model.load", self.clock.now_ms() + 60_000)
        await self.commands.send(new)
        self.commands.publish(FleetEvent("1", "command", {"id": "s1"}))
        await self.settle()

    async def receive(self, command: Command) -> None:
        self.came.append(command.id)

    async def settle(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    @asynccontextmanager
    async def connected(self, receive: Callable[[Command], Awaitable[None]] | None = None) -> AsyncIterator[None]:
        delivering = asyncio.create_task(self.commands.deliver("s1", receive or self.receive))
        await self.settle()
        try:
            yield
        finally:
            delivering.cancel()
            with suppress(asyncio.CancelledError):
                await delivering


@pytest.fixture
async def line() -> Line:
    line = Line()
    await line.store.servers.put(new_server("s1", transport=Transport.SOCKET))
    return line


async def test_a_command_goes_out_at_once_and_only_once(line: Line) -> None:
    await line.send("early")
    async with line.connected():
        assert line.came == ["early"]
        assert (await line.commands.get("early")).state is CommandState.SENT
        await line.send("c1")
        await line.send("c2")
        assert line.came == ["early", "c1", "c2"]


async def test_the_next_connection_brings_what_was_not_acknowledged(line: Line) -> None:
    async with line.connected():
        for command_id in ("c1", "c2", "c3"):
            await line.send(command_id)
        await line.commands.report("s1", "c2", ACKED)
    line.came.clear()
    async with line.connected():
        assert line.came == ["c1", "c3"]


async def test_a_connection_that_breaks_loses_no_command(line: Line) -> None:
    async def broken(command: Command) -> None:
        raise ConnectionError

    await line.send("c1")
    with pytest.raises(ConnectionError):
        await line.commands.deliver("s1", broken)
    assert (await line.commands.get("c1")).state is CommandState.QUEUED
    async with line.connected():
        assert line.came == ["c1"]


async def test_an_outage_of_the_store_ends_no_connection(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    async def away(server_id: str) -> list[Command]:
        asked.append(server_id)
        raise Unavailable("The store is away")

    with monkeypatch.context() as outage:
        outage.setattr(line.store.commands, "pending", away)
        async with line.connected():
            outage.undo()
            await line.send("c1")
            assert (asked, line.came) == (["s1"], ["c1"])


async def test_ends_are_told(line: Line) -> None:
    ends: list[tuple[str, str]] = []

    async def ended(command: Command) -> None:
        ends.append((command.id, command.detail))

    line.commands.on_end(ended)
    await line.send("c1")
    await line.commands.report("s1", "c1", ACKED)
    await line.commands.report("s1", "c1", DONE, "{}")
    assert ends == [("c1", "{}")]
    with pytest.raises(NotFound):
        await line.commands.report("s1", "no such/id", DONE)
