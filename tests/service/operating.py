"""A fleet with a control channel, on which operations are carried out."""

import json
from collections.abc import Iterable
from typing import Any

from dispatcher.domain.clock import ManualClock
from dispatcher.domain.command import Command, CommandState, Verb
from dispatcher.domain.lane import Offer
from dispatcher.domain.placement import PlacementStatus, can_load
from dispatcher.domain.resources import Resources
from dispatcher.domain.server import Endpoints, NewServer, ServerHealth, Transport
from dispatcher.service.commands import Commands
from dispatcher.service.operations import Operations
from dispatcher.service.placements import Placements
from dispatcher.service.steps import Steps
from dispatcher.store.memory import MemoryStore

GB = 1 << 30
ACKED, DONE, FAILED = CommandState.ACKED, CommandState.DONE, CommandState.FAILED


class Gateway:
    def __init__(self, store: MemoryStore, name: str) -> None:
        self.commands = Commands(store.commands)
        steps = Steps(store.servers, store.placements, self.commands)
        self.operations = Operations(store.operations, store.servers, self.commands, steps, gateway=name)
        self.placements = Placements(store.placements, store.servers, self.operations)


class Fleet:
    """Workers with a control channel, and two gateways."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore(self.clock)
        self.one, self.two = (Gateway(self.store, name) for name in ("gw_1", "gw_2"))

    async def add(
        self,
        server_id: str,
        memory: int = 24,
        transport: Transport = Transport.SOCKET,
        *,
        kind: str = "model",
        beats: bool = True,
        loadable: Iterable[str] = (),
        only: str = "",
    ) -> None:
        models = frozenset(map(can_load, loadable))
        offer = Offer(frozenset({kind}), models, resources=Resources(memory=memory * GB), only=only)
        await self.store.servers.put(NewServer(server_id, "native", server_id, Endpoints(), offer, transport=transport))
        if beats:
            await self.beat(server_id)

    async def beat(self, server_id: str, boot_id: str = "b1") -> None:
        await self.store.servers.heartbeat(
            server_id, health=ServerHealth.HEALTHY, active=None, metrics="{}", boot_id=boot_id
        )

    async def told(self, server_id: str) -> list[Command]:
        return await self.store.commands.pending(server_id)

    async def does(
        self, server_id: str, gateway: Gateway | None = None, state: CommandState = DONE, **told: Any
    ) -> str:
        """The worker does the oldest thing that it was told to; answers what that was."""
        command = (await self.told(server_id))[0]
        detail = told.pop("error", None) or json.dumps(told)
        await (gateway or self.one).commands.report(server_id, command.id, state, detail)
        return command.verb

    async def load(self, server_id: str, model: str, memory: int) -> None:
        await self.one.placements.assign("ann", model, [server_id])
        assert await self.does(server_id, memory_bytes=memory * GB, load_ms=5) == Verb.LOAD

    async def where(self) -> dict[tuple[str, str], PlacementStatus]:
        return {(p.server_id, p.model): p.status for p in await self.one.placements.find()}
