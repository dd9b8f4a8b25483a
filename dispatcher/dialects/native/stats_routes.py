"""Handlers of the statistics and load balancer operations."""

from dispatcher.dialects.call import Answer, Call
from dispatcher.dialects.native import wire_stats as wire
from dispatcher.dialects.native.answers import AlgorithmAnswer
from dispatcher.dialects.native.options import ORIGIN
from dispatcher.dialects.native.requests import SetAlgorithm
from dispatcher.dialects.native.validation import validate
from dispatcher.domain.clock import Clock
from dispatcher.domain.errors import NotFound
from dispatcher.domain.ids import is_id
from dispatcher.service.services import Services
from dispatcher.web.answer import encode_json
from dispatcher.web.query import day


class StatsRoutes:
    def __init__(self, services: Services, clock: Clock) -> None:
        self._stats = services.stats
        self._balancing = services.balancing
        self._clock = clock

    async def tasks(self, call: Call) -> Answer:
        summary = await self._stats.day(call.caller, ORIGIN, day(call.query, self._clock))
        return Answer(encode_json(wire.task_stats_answer(summary)))

    async def hourly(self, call: Call) -> Answer:
        hours = await self._stats.hours(call.caller, ORIGIN, day(call.query, self._clock))
        return Answer(encode_json(wire.hourly_answer(hours)))

    async def server(self, call: Call) -> Answer:
        date = day(call.query, self._clock)
        if not is_id(call.path_id):
            raise NotFound(f"Server not found: {call.path_id[:80]}")
        of_day, uptime = await self._stats.server_day(call.path_id, date)
        return Answer(encode_json(wire.server_stats_answer(call.path_id, of_day, uptime)))

    async def load_balancer(self, call: Call) -> Answer:
        algorithm, servers = await self._balancing.status()
        return Answer(encode_json(wire.balancer_answer(algorithm, servers)))

    async def set_algorithm(self, call: Call) -> Answer:
        body = validate(SetAlgorithm, (await call.json()).members)
        await self._balancing.set_algorithm(body.algorithm, by=call.caller.rate_key)
        answer = AlgorithmAnswer(message="Load balancer algorithm updated", algorithm=body.algorithm)
        return Answer(encode_json(answer))
