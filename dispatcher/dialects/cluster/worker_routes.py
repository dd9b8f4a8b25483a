"""Handlers of the workers: look at them, restart one."""

import asyncio

from dispatcher.dialects.call import Answer, Call
from dispatcher.dialects.cluster import wire_workers as wire
from dispatcher.dialects.cluster.answers import RestartAnswer, WorkerList
from dispatcher.dialects.cluster.errors import about_workers
from dispatcher.dialects.cluster.estimates import Estimates
from dispatcher.dialects.cluster.fleet import Fleet
from dispatcher.dialects.cluster.options import ORIGIN
from dispatcher.dialects.cluster.units import estimate
from dispatcher.domain.clock import Clock
from dispatcher.domain.errors import Invalid
from dispatcher.domain.placement import Placement
from dispatcher.domain.server import Server
from dispatcher.service.services import Services
from dispatcher.web.answer import encode_json
from dispatcher.web.query import choice, filled, one

DAY_MS, HOUR_MS = 86_400_000, 3_600_000
GPU_TYPE_MOST = 256


class WorkerRoutes:
    def __init__(self, services: Services, fleet: Fleet, estimates: Estimates, clock: Clock) -> None:
        self._services = services
        self._fleet = fleet
        self._estimates = estimates
        self._clock = clock

    async def find(self, call: Call) -> Answer:
        query = filled(call.query)
        status = choice(query, "status", wire.STATUSES)
        gpu_type = one(query, "gpu_type")
        if gpu_type is not None and len(gpu_type) > GPU_TYPE_MOST:
            raise Invalid(f"Invalid parameter gpu_type: must be 1 to {GPU_TYPE_MOST} characters", field="gpu_type")
        found = [
            (server, word)
            for server, word in await self._fleet.all()
            if status in (None, word) and (gpu_type is None or wire.has_gpu(server, gpu_type))
        ]
        ids = [server.id for server, _ in found]
        running, ever, models = await asyncio.gather(
            self._services.tasks.running(ids), self._services.stats.server_totals(ids), self._models(ids)
        )
        workers = [
            wire.listed(
                server,
                word,
                models.get(server.id, []),
                sum(1 for task in running[server.id] if task.origin == ORIGIN),
                ever[server.id],
            )
            for server, word in found
        ]
        online = sum(1 for _, word in found if word in wire.ACTIVE)
        answer = WorkerList(workers=workers, total=len(found), online=online, offline=len(found) - online)
        return Answer(encode_json(answer))

    async def get(self, call: Call) -> Answer:
        with about_workers():
            server, word = await self._fleet.get(call.path_id)
            stats = self._services.stats
            models, (day, _) = await asyncio.gather(
                self._models([server.id]), stats.server_day(server.id, stats.today())
            )
        answer = wire.details(server, word, models.get(server.id, []), day.total, self._hours(server))
        return Answer(encode_json(answer))

    async def restart(self, call: Call) -> Answer:
        with about_workers():
            operation = await self._services.operations.restart(call.caller.rate_key, call.path_id)
        answer = RestartAnswer(
            message="Worker restart initiated",
            worker_id=call.path_id,
            estimated_downtime=estimate(await self._estimates.restart_ms()),
            operation_id=operation.id,
        )
        return Answer(encode_json(answer))

    async def _models(self, ids: list[str]) -> dict[str, list[Placement]]:
        found: dict[str, list[Placement]] = {}
        for placement in await self._services.placements.find(ids) if ids else []:
            found.setdefault(placement.server_id, []).append(placement)
        return found

    def _hours(self, server: Server) -> float:
        """Of this UTC day since the worker was there; not less than one."""
        now_ms = self._clock.now_ms()
        since = max(server.registered_ms, now_ms - now_ms % DAY_MS)
        return max(1.0, (now_ms - since) / HOUR_MS)
