"""What this gateway knows of lanes, server classes and servers, kept fresh by the epoch that every reply carries."""

import asyncio
from typing import Any

from dispatcher.domain.errors import Unavailable
from dispatcher.domain.lane import Demand, Offer, fits
from dispatcher.domain.registry import Registry
from dispatcher.domain.server import Server
from dispatcher.store import codec
from dispatcher.store.reach import reachable
from dispatcher.store.runner import Runner

DEFAULT_ALGORITHM = "round-robin"
KNOWN_LANES = 4_096  # remembered by a gateway: clients can ask for anything


class Fleet:
    """The registry's cache. Its content is a hint: claims decide by the store's own record."""

    def __init__(self, runner: Runner, algorithm: str = DEFAULT_ALGORITHM) -> None:
        self._run = runner
        self._default = algorithm
        self._demands: dict[str, Demand] = {}  # shared with every registry
        self._registry = Registry(-1, algorithm, {}, self._demands)  # -1: never read
        self._refreshing = asyncio.Lock()

    def learn(self, demand: Demand) -> str:
        """Remember a demand; returns its lane."""
        lane = demand.lane
        if lane not in self._demands:
            self._demands[lane] = demand
            while len(self._demands) > KNOWN_LANES:  # the oldest goes; it is fetched again when it is met
                del self._demands[next(iter(self._demands))]
        return lane

    async def snapshot(self) -> Registry:
        """The registry, re-read when a reply has told of a newer epoch."""
        if self._registry.epoch < self._run.epoch:
            async with self._refreshing:
                if self._registry.epoch < self._run.epoch:
                    await self._refresh()
        return self._registry

    async def know(self, lanes: set[str]) -> None:
        """Fetch the demands of lanes that other gateways defined."""
        missing = sorted(lanes - self._demands.keys())
        if missing:
            with reachable():
                specs: list[Any] = await self._run.client.hmget(self._run.root + "lanes", missing)
            for lane, spec in zip(missing, specs, strict=True):
                if spec is not None:
                    self._demands[lane] = Demand.from_json(spec.decode())

    async def define(self, demand: Demand) -> None:
        """Make a lane known to the store with the classes that fit it. Raises Unavailable when there are too many."""
        while True:
            matching, classes = await self._matching("classes")
            fit = [name for name, spec in classes.items() if fits(demand, Offer.from_json(spec.decode()))]
            reply = await self._run.call(
                "define_lane", *fit, lane=demand.lane, spec=demand.to_json(), matching=matching
            )
            if reply.tag == "defined":
                return
            if reply.tag != "stale":
                raise Unavailable("Too many different demands are waiting", retry_after_s=5)

    async def fitting_lanes(self, offer: Offer) -> tuple[str, list[str]]:
        """The lanes that an offer fits, and the matching epoch they were read at."""
        matching, lanes = await self._matching("lanes")
        return matching, [lane for lane, spec in lanes.items() if fits(Demand.from_json(spec.decode()), offer)]

    async def _matching(self, table: str) -> tuple[str, dict[str, bytes]]:
        pipeline = self._run.client.pipeline(transaction=True)
        pipeline.hget(self._run.root + "reg", "matching")
        pipeline.hgetall(self._run.root + table)
        with reachable():
            epoch, found = await pipeline.execute()
        return (epoch or b"0").decode(), {k.decode(): v for k, v in found.items()}

    async def _refresh(self) -> None:
        reply = await self._run.call("registry", since=self._registry.epoch)
        algorithm = reply.text(0) or self._default
        servers: dict[str, Server] = {} if reply.values[2] == b"1" else dict(self._registry.servers)
        changes: list[Any] = reply.values[3]
        for raw_id, active, allocated, flat in changes:
            server_id = raw_id.decode()
            if flat:
                servers[server_id] = codec.server(server_id, int(active), allocated, flat)
            else:
                servers.pop(server_id, None)
        self._registry = Registry(reply.epoch, algorithm, servers, self._demands)
