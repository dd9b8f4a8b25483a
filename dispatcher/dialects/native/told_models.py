"""What servers say over HTTP of the models in their memory."""

from collections.abc import Sequence
from contextlib import suppress

from dispatcher.dialects.native.requests import LoadedModel
from dispatcher.dialects.native.wire_fleet import loaded_placement
from dispatcher.domain.clock import Clock
from dispatcher.domain.errors import Conflict, NotFound
from dispatcher.domain.server import Server
from dispatcher.service.placements import Placements

AGAIN_MS = 60_000
MOST = 10_000  # servers that are remembered


class ToldModels:
    """Where all told models are known already there is nothing to record: a heartbeat costs one call. Once a minute
    they are looked at anyhow: what holds room and was told of to another gateway is not in the server's record."""

    def __init__(self, placements: Placements, clock: Clock) -> None:
        self._placements = placements
        self._clock = clock
        self._settled: dict[str, int] = {}  # server -> when all was as told, the longest ago first

    async def heard(self, server: Server, models: Sequence[LoadedModel]) -> None:
        """These are all that it has. What does not fit holds what is left; who keeps no control channel is told nothing
        of that."""
        names = frozenset(one.model for one in models)
        now_ms = self._clock.now_ms()
        settled_ms = self._settled.get(server.id)
        if names == server.models and settled_ms is not None and now_ms - settled_ms < AGAIN_MS:
            return
        self._settled.pop(server.id, None)
        told = [loaded_placement(server.id, one) for one in models]
        busy = {one.model for one in models if one.active} if server.takes_commands else names
        with suppress(Conflict, NotFound):  # changed meanwhile: the next heartbeat is looked at again
            if await self._placements.loaded(server.id, told, busy=busy):
                self._remember(server.id, now_ms)

    def _remember(self, server_id: str, now_ms: int) -> None:
        self._settled[server_id] = now_ms
        if len(self._settled) > MOST:
            del self._settled[next(iter(self._settled))]
