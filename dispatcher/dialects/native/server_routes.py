"""Handlers of the server operations."""

import hashlib
from collections.abc import Callable

from dispatcher.dialects.call import Answer, Call
from dispatcher.dialects.gate import IssueServerToken
from dispatcher.dialects.native import wire_servers as wire
from dispatcher.dialects.native.answers import RegisteredAnswer, ServerListAnswer, ServerMessage, ServerStatusAnswer
from dispatcher.dialects.native.requests import Heartbeat, RegisterServer, SetMaintenance
from dispatcher.dialects.native.told_models import ToldModels
from dispatcher.dialects.native.validation import validate
from dispatcher.domain.clock import Clock
from dispatcher.domain.ids import new_server_id
from dispatcher.domain.principal import Principal
from dispatcher.domain.server import Server, ServerHealth, ServerStatus
from dispatcher.service.services import Services
from dispatcher.web.answer import encode_json
from dispatcher.web.query import choice, one, whole
from dispatcher.web.request_headers import idempotency_key

MOST_LISTED = 1000

CheckUrl = Callable[[str, str], None]  # (URL, name of its field); raises Invalid
SealKey = Callable[[str, str], bytes]  # (server id, key)


class ServerRoutes:
    def __init__(
        self,
        services: Services,
        clock: Clock,
        *,
        check_url: CheckUrl,
        seal_key: SealKey,
        issue_server_token: IssueServerToken,
    ) -> None:
        self._servers = services.servers
        self._models = ToldModels(services.placements, clock)
        self._clock = clock
        self._check_url = check_url
        self._seal_key = seal_key
        self._issue = issue_server_token

    async def register(self, call: Call) -> Answer:
        key = idempotency_key(call.headers)
        body = validate(RegisterServer, (await call.json()).members)
        wire.check_transport(body)
        for field, url in wire.urls(body):
            self._check_url(url, field)
        server_id = _server_id(call.caller, key)
        sealed = self._seal_key(server_id, body.api_key) if body.api_key else b""
        server = await self._servers.register(wire.new_server(body, server_id, sealed))
        answer = RegisteredAnswer(
            serverId=server.id,
            message="Server registered successfully",
            serverToken=self._issue(server, call.caller),
        )
        return Answer(encode_json(answer), headers={"Location": f"/api/servers/{server.id}"})

    async def find(self, call: Call) -> Answer:
        status = choice(call.query, "status", tuple(ServerStatus))
        group = one(call.query, "group")
        offset = whole(call.query, "offset", default=0, least=0, most=1_000_000)
        limit = whole(call.query, "limit", default=MOST_LISTED, least=1, most=MOST_LISTED)
        servers = await self._servers.all(ServerStatus(status) if status else None, group)
        now = self._clock.now_ms()
        page = [wire.server_answer(server, now) for server in servers[offset : offset + limit]]
        return Answer(encode_json(ServerListAnswer(servers=page, total=len(servers))))

    async def get(self, call: Call) -> Answer:
        server = await self._servers.get(call.path_id)
        return Answer(encode_json(wire.server_answer(server, self._clock.now_ms())))

    async def heartbeat(self, call: Call) -> Answer:
        json = await call.json_if_any()
        body = validate(Heartbeat, json.members)
        server = await self._servers.heartbeat(
            call.path_id,
            health=ServerHealth(body.status),
            active=body.active_tasks,
            metrics=wire.metrics_text(body, json),
            boot_id=body.boot_id,
            running=body.running,
        )
        if body.models is not None:
            await self._models.heard(server, body.models)
        answer = ServerStatusAnswer(message="Heartbeat updated", serverId=server.id, status=server.status.value)
        if needs_token(call.caller, server, self._clock.now_ms()):
            answer["serverToken"] = self._issue(server, call.caller)
        return Answer(encode_json(answer))

    async def unregister(self, call: Call) -> Answer:
        await self._servers.unregister(call.path_id)
        return Answer(encode_json(ServerMessage(message="Server unregistered", serverId=call.path_id)))

    async def maintenance(self, call: Call) -> Answer:
        body = validate(SetMaintenance, (await call.json()).members)
        server = await self._servers.set_maintenance(call.path_id, body.maintenance, body.reason)
        message = f"Maintenance mode {'enabled' if body.maintenance else 'disabled'}"
        return Answer(encode_json(ServerStatusAnswer(message=message, serverId=server.id, status=server.status.value)))

    async def metrics(self, call: Call) -> Answer:
        server, counts = await self._servers.metrics(call.path_id)
        return Answer(encode_json(wire.metrics_answer(server, counts, self._clock.now_ms())))


def _server_id(principal: Principal, key: str | None) -> str:
    """A new id; under an Idempotency-Key always the same one, so that a repeated registration replaces the first."""
    if key is None:
        return new_server_id()
    owner = principal.owner
    text = f"{owner.tenant}\0{owner.sub}\0{key}".encode("utf-8", "surrogatepass")
    return new_server_id(lambda size: hashlib.blake2b(text, digest_size=size, person=b"server-id").digest())


def needs_token(principal: Principal, server: Server, now_ms: int) -> bool:
    """True in the last third of the life of a server's own token, unless that is of an earlier registration."""
    life = principal.expires_ms - principal.issued_ms
    holds = principal.serves(server.id) and principal.registration in (0, server.seq)
    return holds and now_ms >= principal.expires_ms - life / 3
