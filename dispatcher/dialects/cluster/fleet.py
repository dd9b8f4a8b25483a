"""The workers of the cluster: every server that is registered, whatever API it came by."""

import asyncio
from collections.abc import Sequence

from dispatcher.dialects.cluster.answers import WorkerStatus
from dispatcher.dialects.cluster.wire_workers import status_word
from dispatcher.domain.errors import NotFound
from dispatcher.domain.server import Server
from dispatcher.service.services import Services


class Fleet:
    def __init__(self, services: Services) -> None:
        self._servers = services.servers
        self._operations = services.operations

    async def all(self) -> list[tuple[Server, WorkerStatus]]:
        """By registration."""
        servers, restarting = await asyncio.gather(self._servers.all(), self._operations.restarting())
        return [(server, status_word(server, restarting)) for server in servers]

    async def get(self, worker_id: str) -> tuple[Server, WorkerStatus]:
        """Raises NotFound."""
        server, restarting = await asyncio.gather(self._servers.get(worker_id), self._operations.restarting())
        return server, status_word(server, restarting)

    async def check(self, worker_ids: Sequence[str]) -> None:
        """Raises NotFound for the first that is none."""
        known = {server.id for server in await self._servers.all()}
        for worker_id in worker_ids:
            if worker_id not in known:
                raise NotFound(f"Worker not found: {worker_id[:80]}")
