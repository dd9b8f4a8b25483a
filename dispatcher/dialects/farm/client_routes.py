"""Handlers about the clients and the farm as a whole."""

from dispatcher.dialects.call import Answer, Call
from dispatcher.dialects.farm import wire_clients as wire
from dispatcher.dialects.farm import wire_tasks
from dispatcher.dialects.farm.answers import ClientCounts, ClientList, SystemMetrics, TaskCounts, TaskMetrics
from dispatcher.dialects.farm.clients import core_id, is_of
from dispatcher.dialects.farm.errors import about_task
from dispatcher.dialects.farm.options import ORIGIN, FarmOptions
from dispatcher.dialects.farm.paging import page_asked, page_headers
from dispatcher.dialects.farm.task_routes import task_id
from dispatcher.domain.clock import Clock
from dispatcher.domain.errors import NotFound
from dispatcher.domain.principal import Principal
from dispatcher.domain.server import Server
from dispatcher.domain.task import Task
from dispatcher.service.services import Services
from dispatcher.web.answer import encode_json
from dispatcher.web.query import whole
from dispatcher.web.times import iso

MOST_HISTORY = 256


class ClientRoutes:
    """A caller sees the clients of its tenant, an admin all of the farm."""

    def __init__(self, services: Services, clock: Clock, options: FarmOptions) -> None:
        self._services = services
        self._clock = clock
        self._options = options

    async def find(self, call: Call) -> Answer:
        page = page_asked(call.query)
        clients = await self._visible(call.caller)
        clients.reverse()  # the newest first, as the tasks
        shown = clients[page.offset : page.offset + page.limit]
        answer = ClientList(clients=[wire.listed(client) for client in shown])
        return Answer(encode_json(answer), headers=page_headers(call, page, len(clients), self._options.public_url))

    async def get(self, call: Call) -> Answer:
        client = await self._client(call.caller, call.path_id)
        running = await self._services.tasks.running([client.id])
        totals = await self._services.stats.server_totals([client.id])
        mine = [task for task in running[client.id] if _may_see(call.caller, task)]
        return Answer(encode_json(wire.details(client, mine, totals[client.id])))

    async def metrics(self, call: Call) -> Answer:
        clients = await self._visible(call.caller)
        active = [client for client in clients if client.online]
        standing = await self._services.stats.standing(
            ORIGIN, owner=None if call.caller.is_admin else call.caller.owner
        )
        counts = {word: sum(standing[""][state] for state in states) for word, states in wire_tasks.STATES.items()}
        answer = SystemMetrics(
            clients=ClientCounts(total=len(clients), active=len(active)),
            tasks=TaskCounts(total=sum(counts.values()), **counts),  # type: ignore[typeddict-item]
            resources=wire.mean_usage(active),
            timestamp=iso(self._clock.now_ms()),
        )
        return Answer(encode_json(answer))

    async def task_metrics(self, call: Call) -> Answer:
        asked = whole(call.query, "history", default=0, least=0, most=MOST_HISTORY)
        with about_task():
            task, rate = await self._services.tasks.get(call.caller, task_id(call), origin=ORIGIN, rate=call.rule)
            answer = TaskMetrics(
                progress=task.progress,
                metrics=wire_tasks.metrics_of(task),
                resources=wire.mean_usage(await self._running_it(task)),
                timestamp=iso(task.updated_ms),
            )
            if asked:
                points = await self._services.tasks.history(call.caller, task.id, origin=ORIGIN, limit=asked)
                answer["history"] = [wire_tasks.point(point) for point in points]
        return Answer(encode_json(answer), rate=rate)

    async def _running_it(self, task: Task) -> list[Server]:
        if not task.attempt_lives:
            return []
        if task.gang == 1:
            client = await self._known(task.server_id or "")
            return [client] if client is not None else []
        clients = [server for server in await self._services.servers.all() if server.origin == ORIGIN and server.active]
        running = await self._services.tasks.running([client.id for client in clients])
        return [client for client in clients if any(one.id == task.id for one in running[client.id])]

    async def _visible(self, caller: Principal) -> list[Server]:
        clients = [server for server in await self._services.servers.all() if server.origin == ORIGIN]
        return clients if caller.is_admin else [client for client in clients if is_of(client, caller)]

    async def _client(self, caller: Principal, name: str) -> Server:
        """By its Client-ID; an admin's own tenant goes first. Raises NotFound."""
        for server_id in (core_id(caller.realm, name), name):
            client = await self._known(server_id)
            if client is not None and (caller.is_admin or is_of(client, caller)):
                return client
        if caller.is_admin:  # of another tenant: that is not in the name
            for client in await self._visible(caller):
                if client.name == name:
                    return client
        raise NotFound("Client not found")

    async def _known(self, server_id: str) -> Server | None:
        try:
            server = await self._services.servers.get(server_id)
        except NotFound:
            return None
        return server if server.origin == ORIGIN else None


def _may_see(caller: Principal, task: Task) -> bool:
    return task.origin == ORIGIN and (caller.is_admin or task.owner == caller.owner)
