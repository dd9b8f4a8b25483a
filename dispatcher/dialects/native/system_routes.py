"""Handlers about the gateway itself."""

from dispatcher.dialects.call import Answer, Call
from dispatcher.service.duties import Duties
from dispatcher.web.answer import encode_json
from dispatcher.web.health import Health
from dispatcher.web.query import whole


class SystemRoutes:
    def __init__(self, health: Health, duties: Duties) -> None:
        self._health = health
        self._duties = duties

    async def health(self, call: Call) -> Answer:
        status, report = await self._health.report()
        return Answer(encode_json(report), status)

    async def ready(self, call: Call) -> Answer:
        ready = await self._health.ready()
        return Answer(encode_json({"ready": ready}), 200 if ready else 503)

    async def alive(self, call: Call) -> Answer:
        return Answer(encode_json({"alive": True}))

    async def tick(self, call: Call) -> Answer:
        budget_ms = whole(call.query, "budget_ms", default=200, least=1, most=10_000)
        return Answer(encode_json(await self._duties.run(budget_ms)))
