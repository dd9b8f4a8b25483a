"""What a worker on a socket has beside its tasks: what it is, the models in its memory, and commands."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from dispatcher.dialects.native.requests import CommandReport, Hello, LoadedModel
from dispatcher.dialects.native.wire_fleet import loaded_placement
from dispatcher.dialects.native.wire_resources import resources
from dispatcher.domain.command import Command, CommandState
from dispatcher.domain.errors import DispatchError, NotFound
from dispatcher.domain.placement import LOADABLE, Placement, can_load
from dispatcher.service.services import Services
from dispatcher.web.answer import encode_json
from dispatcher.web.event_stream import Outbox

COMMAND_REPORTS = {
    "commandAck": CommandState.ACKED,
    "commandDone": CommandState.DONE,
    "commandFailed": CommandState.FAILED,
}


class WorkerOrders:
    """Of one connection. A worker that never said hello obeys no command: those that come are failed in its place."""

    def __init__(self, services: Services, server_id: str, outbox: Outbox) -> None:
        self._services = services
        self._server_id = server_id
        self._outbox = outbox
        self._obeys: frozenset[str] = frozenset()
        self._began = asyncio.Event()
        self._models: Sequence[Placement] | None = None

    async def hello(self, hello: Hello) -> None:
        """It offers from now on what its machine turned out to have. Raises NotFound, Unavailable."""
        server = await self._services.servers.get(self._server_id)
        offer = server.offer
        if hello.kinds is not None:
            offer = replace(offer, kinds=frozenset(hello.kinds))
        if hello.resources is not None:
            offer = replace(offer, resources=resources(hello.resources))
        if hello.loadable is not None:
            others = {capability for capability in offer.capabilities if not capability.startswith(LOADABLE)}
            offer = replace(offer, capabilities=frozenset(others.union(map(can_load, hello.loadable))))
        await self._services.servers.reoffer(self._server_id, offer, max_concurrent=hello.max_concurrent)
        self._obeys = frozenset(hello.commands)
        self._began.set()

    async def heard(self, models: Sequence[LoadedModel] | None) -> None:
        """A heartbeat, with the models that are in its memory where it tells them. Raises NotFound, Conflict."""
        self._began.set()
        if models is None:
            return
        told = [loaded_placement(self._server_id, one) for one in models]
        if told != self._models:
            busy = {one.model for one in models if one.active}
            kept = await self._services.placements.loaded(self._server_id, told, busy=busy)
            self._models = told if kept else None  # one that does not fit and is in use stays until it is not

    async def told(self, kind: str, report: CommandReport) -> None:
        """How a command stands. An end is confirmed once it is recorded, and when nobody knows the command any more:
        it need not be told again. Raises NotFound for an acknowledgement."""
        state = COMMAND_REPORTS[kind]
        detail = report.error if state is CommandState.FAILED else json.dumps(report.detail)
        try:
            await self._services.commands.report(self._server_id, report.id, state, detail)
        except NotFound as error:
            if not state.ended:
                raise
            self._tell(type="commandRecorded", id=report.id, code=error.code)
        else:
            if state.ended:
                self._tell(type="commandRecorded", id=report.id)

    async def deliver(self) -> None:
        """Send down what there is, and what comes, for as long as the socket is open."""
        await self._began.wait()
        await self._services.commands.deliver(self._server_id, self._send)

    async def _send(self, command: Command) -> None:
        if command.verb in self._obeys:
            self._tell(type="command", id=command.id, verb=command.verb, args=json.loads(command.args))
        else:
            refusal = f"This worker does not obey {command.verb}"
            with suppress(DispatchError, OSError):  # it comes again over the next connection, or expires
                await self._services.commands.report(self._server_id, command.id, CommandState.FAILED, refusal)

    def _tell(self, **message: object) -> None:
        self._outbox.put(encode_json(message).decode())
