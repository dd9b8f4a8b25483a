"""Servers in Redis. Implements `service.ports.ServerStore`."""

from collections.abc import Sequence
from typing import Any

from dispatcher.domain.errors import NotFound, Unavailable
from dispatcher.domain.lane import Offer
from dispatcher.domain.registry import Registry
from dispatcher.domain.server import NewServer, Server, ServerHealth
from dispatcher.domain.telemetry import Usage
from dispatcher.store import codec
from dispatcher.store.fleet import Fleet
from dispatcher.store.refusals import confined, replaced
from dispatcher.store.runner import Reply, Runner

_TOO_MANY = "Too many different kinds of servers are registered"


def _known(reply: Reply, server_id: str) -> Reply:
    if reply.tag == "not_found":
        raise NotFound(f"Server not found: {server_id}")
    if reply.tag == "confined":
        raise confined()
    return reply


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


class RedisServers:
    """The server half of the store."""

    def __init__(self, runner: Runner, fleet: Fleet) -> None:
        self._run = runner
        self._fleet = fleet

    async def put(self, server: NewServer, *, alias: str | None = None, keep: bool = False) -> Server:
        offer = server.offer
        while True:
            matching, lanes = await self._fleet.fitting_lanes(offer)
            reply = await self._run.call(
                "put_server",
                *lanes,
                server_id=server.id,
                server_class=offer.server_class,
                class_spec=offer.rounded.to_json(),
                matching=matching,
                alias=alias or "",
                origin=server.origin,
                name=server.name,
                predict=server.endpoints.predict,
                health=server.endpoints.health or "",
                metrics_url=server.endpoints.metrics or "",
                cancel_url=server.endpoints.cancel or "",
                offer=offer.to_json(),
                totals=codec.totals_text(offer),
                sealed_key=server.sealed_key,
                max=server.max_concurrent,
                weight=server.weight,
                transport=server.transport,
                silence=server.silence_ms,
                forget=server.forget_ms,
                address=server.address,
                only=offer.only,
                keep="1" if keep else "0",
            )
            if _known(reply, server.id).tag == "registered":
                return await self.get(server.id)
            if reply.tag == "too_many":
                raise Unavailable(_TOO_MANY, retry_after_s=60)

    async def reoffer(self, server_id: str, offer: Offer, *, max_concurrent: int | None = None) -> Server:
        while True:
            matching, lanes = await self._fleet.fitting_lanes(offer)
            reply = await self._run.call(
                "reoffer_server",
                *lanes,
                server_id=server_id,
                server_class=offer.server_class,
                class_spec=offer.rounded.to_json(),
                matching=matching,
                offer=offer.to_json(),
                totals=codec.totals_text(offer),
                only=offer.only,
                max="" if max_concurrent is None else max_concurrent,
            )
            if _known(reply, server_id).tag == "reoffered":
                return await self.get(server_id)
            if reply.tag == "too_many":
                raise Unavailable(_TOO_MANY, retry_after_s=60)

    async def remove(self, server_id: str) -> None:
        _known(await self._run.call("remove_server", server_id=server_id), server_id)

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
        usage = Usage.of(metrics) or Usage()
        reply = await self._run.call(
            "heartbeat",
            *(running or ()),
            server_id=server_id,
            health=health,
            active="" if active is None else active,
            metrics=metrics,
            cpu=_number(usage.cpu),
            memory=_number(usage.memory),
            gpu=_number(usage.gpu),
            storage=_number(usage.storage),
            gpus=usage.gpus,
            boot_id=boot_id or "",
            session=session,
            running_given="0" if running is None else "1",
        )
        if _known(reply, server_id).tag == "replaced":
            raise replaced()
        return await self.get(server_id)

    async def probed(self, server_id: str, ok: bool) -> None:
        await self._run.call("probed", server_id=server_id, ok="1" if ok else "0")

    async def set_maintenance(self, server_id: str, on: bool, reason: str) -> Server:
        reply = await self._run.call("set_maintenance", server_id=server_id, on="1" if on else "0", reason=reason)
        _known(reply, server_id)
        return await self.get(server_id)

    async def connect(self, server_id: str, session: str, gateway: str) -> None:
        reply = await self._run.call("connect_worker", server_id=server_id, session=session, gateway=gateway)
        _known(reply, server_id)

    async def disconnect(self, server_id: str, session: str, *, left: bool = False) -> None:
        await self._run.call("disconnect_worker", server_id=server_id, session=session, left="1" if left else "0")

    async def get(self, server_id: str) -> Server:
        found = await self._read(server_id)
        if not found:
            raise NotFound(f"Server not found: {server_id}")
        return found[0]

    async def all(self) -> list[Server]:
        return await self._read()

    async def _read(self, *ids: str) -> list[Server]:
        reply = await self._run.call("get_servers", *ids)
        rows: list[Any] = reply.values[0]
        return [
            codec.server(server_id.decode(), int(active), allocated, flat)
            for server_id, active, allocated, flat in rows
        ]

    async def snapshot(self) -> Registry:
        return await self._fleet.snapshot()

    async def set_algorithm(self, name: str, *, by: str) -> None:
        await self._run.call("set_algorithm", name=name, who=by)
