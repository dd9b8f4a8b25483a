"""The fleet: registering servers, hearing of them, taking them out and in."""

import asyncio
from collections.abc import Mapping, Sequence

from dispatcher.domain.errors import NotFound
from dispatcher.domain.ids import is_id
from dispatcher.domain.lane import Offer
from dispatcher.domain.server import NewServer, Server, ServerHealth, ServerStatus
from dispatcher.domain.stats import Counts
from dispatcher.service.ports import Forwarder, ServerStore, StatsStore


class Servers:
    """Every method that names a server raises NotFound when it is not registered."""

    def __init__(self, servers: ServerStore, stats: StatsStore, forwarder: Forwarder) -> None:
        self._servers = servers
        self._stats = stats
        self._forwarder = forwarder

    async def register(self, server: NewServer) -> Server:
        """Add a server, online at once; waiting tasks that fit it are started by whoever is woken."""
        return await self._servers.put(server)

    async def get(self, server_id: str) -> Server:
        return await self._servers.get(self._id(server_id))

    async def all(self, status: ServerStatus | None = None, group: str | None = None) -> list[Server]:
        """The servers with this status and in this group (None: any), by registration sequence, with live loads."""
        return [
            server
            for server in await self._servers.all()
            if (status is None or server.status is status) and (group is None or group in server.offer.groups)
        ]

    async def known(self) -> Mapping[str, Server]:
        """The servers by id, as this gateway knows them: without live loads, not asked for before they change."""
        return (await self._servers.snapshot()).servers

    async def is_registration(self, server_id: str, seq: int) -> bool:
        """False when the server was registered anew since it got this sequence number: it had been removed. True
        for one that is not registered at all; what another gateway did is known up to a second late."""
        known = (await self._servers.snapshot()).servers.get(server_id)
        if known is None or known.seq == seq:
            return True
        try:  # the token may be newer than what this gateway knows
            return (await self._servers.get(server_id)).seq == seq
        except NotFound:
            return True

    async def heartbeat(
        self,
        server_id: str,
        *,
        health: ServerHealth,
        active: int | None,
        metrics: str,
        boot_id: str | None = None,
        running: Sequence[str] | None = None,
    ) -> Server:
        """The server lives. `metrics` is a JSON object of its own figures, kept and shown as it came."""
        return await self._servers.heartbeat(
            self._id(server_id), health=health, active=active, metrics=metrics, boot_id=boot_id, running=running
        )

    async def reoffer(self, server_id: str, offer: Offer, *, max_concurrent: int | None = None) -> Server:
        """It offers something else from now on, in as many slots (None: as before); what runs there goes on."""
        return await self._servers.reoffer(self._id(server_id), offer, max_concurrent=max_concurrent)

    async def unregister(self, server_id: str) -> None:
        """Forget a server; what it runs goes back to the queue."""
        await self._servers.remove(self._id(server_id))

    async def set_maintenance(self, server_id: str, on: bool, reason: str) -> Server:
        """No new work for it (or work again); what runs there ends normally."""
        return await self._servers.set_maintenance(self._id(server_id), on, reason)

    async def metrics(self, server_id: str) -> tuple[Server, Counts]:
        """A server with its live load, and what it did since it was registered."""
        server = await self._servers.get(self._id(server_id))
        return server, await self._stats.server_totals(server_id)

    async def probe(self, server_ids: Sequence[str]) -> None:
        """Ask these servers' `endpoints.health` at once and record the answers."""
        await asyncio.gather(*(self._probe(server_id) for server_id in server_ids))

    async def _probe(self, server_id: str) -> None:
        try:
            server = await self._servers.get(server_id)
            await self._servers.probed(server_id, await self._forwarder.probe(server))
        except NotFound:
            return  # unregistered meanwhile

    @staticmethod
    def _id(server_id: str) -> str:
        if not is_id(server_id):
            raise NotFound(f"Server not found: {server_id[:80]}")
        return server_id
