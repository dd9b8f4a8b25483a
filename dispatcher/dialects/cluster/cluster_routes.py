"""Handlers of the cluster as a whole: health, status, metrics, rebalance."""

import asyncio

from dispatcher.dialects.call import Answer, Call
from dispatcher.dialects.cluster import wire_cluster as wire
from dispatcher.dialects.cluster import wire_models
from dispatcher.dialects.cluster.answers import HealthAnswer
from dispatcher.dialects.cluster.fleet import Fleet
from dispatcher.dialects.cluster.options import ORIGIN, VERSION, ClusterOptions
from dispatcher.dialects.cluster.requests import Rebalance
from dispatcher.dialects.cluster.wire_tasks import STATES
from dispatcher.dialects.validation import validate
from dispatcher.domain.clock import Clock
from dispatcher.domain.errors import Unavailable
from dispatcher.domain.rebalance import Strategy
from dispatcher.domain.telemetry import Timeframe
from dispatcher.service.services import Services
from dispatcher.web.answer import encode_json
from dispatcher.web.health import Health
from dispatcher.web.query import choice, filled
from dispatcher.web.times import iso


class ClusterRoutes:
    def __init__(self, services: Services, fleet: Fleet, health: Health, clock: Clock, options: ClusterOptions) -> None:
        self._services = services
        self._fleet = fleet
        self._health = health
        self._clock = clock
        self._options = options

    async def health(self, call: Call) -> Answer:
        if (await self._health.report())[0] != 200:
            raise Unavailable("The store cannot be reached")
        answer = HealthAnswer(status="healthy", timestamp=iso(self._clock.now_ms()), version=VERSION)
        return Answer(encode_json(answer))

    async def status(self, call: Call) -> Answer:
        workers, standing = await asyncio.gather(self._fleet.all(), self._services.stats.standing(ORIGIN))
        counts = {word: sum(standing[""][state] for state in states) for word, states in STATES.items()}
        answer = wire.cluster_status(
            self._options.cluster_id, workers, counts["queued"], counts["running"], self._clock.now_ms()
        )
        return Answer(encode_json(answer))

    async def metrics(self, call: Call) -> Answer:
        asked = choice(filled(call.query), "timeframe", tuple(Timeframe))
        timeframe = Timeframe(asked or Timeframe.DAY)
        window, servers, placements = await asyncio.gather(
            self._services.telemetry.window(timeframe, ORIGIN),
            self._services.servers.all(),
            self._services.placements.find(),
        )
        efficiency = wire.efficiency(servers, placements, window.buckets[0].start_ms)
        return Answer(encode_json(wire.metrics(window, efficiency)))

    async def rebalance(self, call: Call) -> Answer:
        body = validate(Rebalance, (await call.json_if_any()).members)
        operation, moves = await self._services.placements.rebalance(
            call.caller.rate_key, Strategy(body.strategy), dry_run=body.dry_run, force=body.force
        )
        sizes = await self._services.placements.sizes(sorted({move.model for move in moves}))
        return Answer(encode_json(wire_models.rebalance(operation, moves, sizes)))
