"""Handlers about workers and their load."""

from contextlib import suppress
from urllib.parse import quote

from dispatcher.dialects.call import Answer, Call
from dispatcher.dialects.cloudai import wire_workers as wire
from dispatcher.dialects.cloudai.answers import Done, Health
from dispatcher.dialects.cloudai.options import BASE
from dispatcher.dialects.cloudai.requests import RegisterWorker
from dispatcher.dialects.cloudai.wire_tasks import seconds
from dispatcher.dialects.cloudai.worker_answers import (
    AssignedTask,
    FleetTelemetry,
    RegisteredWorker,
    WorkerBrief,
    WorkerList,
    WorkerTasks,
)
from dispatcher.dialects.cloudai.workers import core_id, new_worker, shown_name
from dispatcher.dialects.gate import IssueServerToken
from dispatcher.dialects.validation import validate
from dispatcher.domain.clock import Clock
from dispatcher.domain.errors import Forbidden, NotFound, Unavailable
from dispatcher.domain.principal import Principal
from dispatcher.domain.server import Server
from dispatcher.service.services import Services
from dispatcher.web.answer import encode_json
from dispatcher.web.health import Health as GatewayHealth

REGISTERED = "Worker registered successfully. Master is notifying worker to connect and send resource information."


class WorkerRoutes:
    def __init__(
        self, services: Services, clock: Clock, health: GatewayHealth, *, issue_server_token: IssueServerToken
    ) -> None:
        self._servers = services.servers
        self._tasks = services.tasks
        self._workers = services.workers
        self._telemetry = services.telemetry
        self._clock = clock
        self._health = health
        self._issue = issue_server_token

    async def health(self, call: Call) -> Answer:
        status, _ = await self._health.report()
        if status != 200:
            raise Unavailable("The store cannot be reached")
        return Answer(encode_json(Health(status="ok")))

    async def register(self, call: Call) -> Answer:
        body = validate(RegisterWorker, (await call.json()).members)
        server = await self._workers.enlist(new_worker(body, call.caller))
        active = wire.is_active(server, self._clock.now_ms())
        answer = RegisteredWorker(
            success=True,
            message=REGISTERED,
            worker_id=server.name,
            worker=WorkerBrief(worker_id=server.name, worker_ip=server.address, is_active=active),
            server_id=server.id,
            server_token=self._issue(server, call.caller),
        )
        place = f"{call.scope.get('root_path', '')}{BASE}/workers/{quote(server.name, safe='')}"
        return Answer(encode_json(answer), 201, {"Location": place})

    async def unregister(self, call: Call) -> Answer:
        server = await self._named(call.path_id, call.caller)
        if call.caller.door != "" and server.offer.only != call.caller.door:
            raise Forbidden("This worker was registered with a token: an open door is no way to it")
        await self._servers.unregister(server.id)
        return Answer(encode_json(Done(success=True, message=f"Worker {call.path_id} removed successfully")))

    async def find(self, call: Call) -> Answer:
        now_ms = self._clock.now_ms()
        servers = await self._servers.all()
        return Answer(encode_json(WorkerList(workers=[wire.listed(one, call.caller, now_ms) for one in servers])))

    async def get(self, call: Call) -> Answer:
        server = await self._named(call.path_id, call.caller)
        running = await self._tasks.running([server.id])
        return Answer(encode_json(wire.details(server, running[server.id], call.caller, self._clock.now_ms())))

    async def tasks(self, call: Call) -> Answer:
        server = await self._named(call.path_id, call.caller)
        running = wire.visible((await self._tasks.running([server.id]))[server.id], call.caller)
        tasks = [AssignedTask(task_id=task.id, assigned_at=seconds(task.started_ms)) for task in running]
        name = shown_name(server, call.caller)
        return Answer(encode_json(WorkerTasks(worker_id=name, tasks=tasks, count=len(tasks))))

    async def telemetry(self, call: Call) -> Answer:
        snapshot = await self._telemetry.latest()
        caller, running = call.caller, snapshot.running
        told = [wire.telemetry(one, running[one.id], caller, snapshot.at_ms) for one in snapshot.servers]
        return Answer(encode_json(FleetTelemetry(workers={one["worker_id"]: one for one in told})))

    async def worker_telemetry(self, call: Call) -> Answer:
        server = await self._named(call.path_id, call.caller)
        running = await self._tasks.running([server.id])
        return Answer(encode_json(wire.telemetry(server, running[server.id], call.caller, self._clock.now_ms())))

    async def _named(self, name: str, caller: Principal) -> Server:
        """The worker of this name, with its load as it is now. Raises NotFound."""
        for server_id in (core_id(caller.realm, name), name):
            with suppress(NotFound):
                server = await self._servers.get(server_id)
                if shown_name(server, caller) == name:
                    return server
        raise NotFound(f"Worker not found: {name[:128]}")
