"""The fleet."""

from collections.abc import Sequence
from typing import Protocol

from dispatcher.domain.lane import Offer
from dispatcher.domain.registry import Registry
from dispatcher.domain.server import NewServer, Server, ServerHealth


class ServerStore(Protocol):
    async def put(self, server: NewServer, *, alias: str | None = None, keep: bool = False) -> Server:
        """Register a server: online at once, next sequence number; waiting tasks are offered to it by a wake-up.
        A repeated id replaces the record, keeps the sequence and requeues its accepted attempts; with
        `keep` nothing but its address changes. Raises Conflict when the id is known and confined otherwise than
        `offer.only` says: that never changes."""
        ...

    async def reoffer(self, server_id: str, offer: Offer, *, max_concurrent: int | None = None) -> Server:
        """A server offers something else from now on, in as many slots (None: as before). Record and attempts stay,
        also those that it would no longer be given. Raises NotFound; Conflict where `offer.only` is another than
        before; Unavailable when there are too many kinds."""
        ...

    async def remove(self, server_id: str) -> None:
        """Forget a server; its running tasks go back to the queue, nothing counted. Raises NotFound."""
        ...

    async def heartbeat(
        self,
        server_id: str,
        *,
        health: ServerHealth,
        active: int | None,
        metrics: str,
        boot_id: str | None = None,
        running: Sequence[str] | None = None,
        session: str = "",
    ) -> Server:
        """Seen now: online, uptime minute, leases of its accepted attempts renewed. Never clears maintenance or an
        ejection. Another `boot_id`: its accepted attempts are lost at once. An accepted attempt missing from two
        `running` lists in a row is lost. What `metrics` tells of the load (`domain.telemetry.Usage`) becomes a
        sample of its telemetry. Raises NotFound; Replaced where `session` is the worker's socket no more: then nothing
        changes."""
        ...

    async def probed(self, server_id: str, ok: bool) -> None:
        """A health probe's answer: counts as an uptime minute and keeps it online, or takes it offline."""
        ...

    async def set_maintenance(self, server_id: str, on: bool, reason: str) -> Server:
        """No new work from now on (or again). Raises NotFound."""
        ...

    async def connect(self, server_id: str, session: str, gateway: str) -> None:
        """The worker's socket is this `session` (a fresh id) of this gateway from now on: the one before gets no more
        work, and the fleet is told (`server.connected`). A sign of life. Raises NotFound."""
        ...

    async def disconnect(self, server_id: str, session: str, *, left: bool = False) -> None:
        """That socket has ended; a worker that has `left` is offline at once. Changes nothing when another session has
        taken its place."""
        ...

    async def get(self, server_id: str) -> Server:
        """One server with its live load. Raises NotFound."""
        ...

    async def all(self) -> list[Server]:
        """All servers with live loads, by registration sequence."""
        ...

    async def snapshot(self) -> Registry:
        """The registry as this gateway knows it: re-read (only what changed) when a reply has told of a newer epoch.
        Knows the demand of every lane that a reply of this store named."""
        ...

    async def set_algorithm(self, name: str, *, by: str) -> None:
        """Switch the balancing policy of the namespace; an event, and a new epoch for every gateway."""
        ...
