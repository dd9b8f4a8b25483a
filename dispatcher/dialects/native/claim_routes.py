"""The handler of the claim: a server that cannot be called fetches its work."""

from dispatcher.dialects.call import Answer, Call
from dispatcher.dialects.native.options import NativeOptions
from dispatcher.dialects.native.requests import ClaimTask
from dispatcher.dialects.native.validation import validate
from dispatcher.dialects.native.wire_claims import GrantWire
from dispatcher.domain.errors import IllegalState
from dispatcher.domain.server import Transport
from dispatcher.service.services import Services
from dispatcher.web.request_headers import preferences


class ClaimRoutes:
    def __init__(self, services: Services, options: NativeOptions, *, wire: GrantWire) -> None:
        self._servers = services.servers
        self._workers = services.workers
        self._options = options
        self._wire = wire

    async def claim(self, call: Call) -> Answer:
        body = validate(ClaimTask, (await call.json_if_any()).members)
        server = await self._servers.get(call.path_id)
        if server.transport is not Transport.PULL:
            raise IllegalState(f"This server is registered with transport {server.transport}: tasks are sent to it")
        wait_s = body.wait if body.wait is not None else preferences(call.headers).wait_s or 0
        lease_ms = self._options.claim_lease_ms
        wait_ms = min(round(wait_s * 1000), self._options.sync_limit_ms)
        grant = await call.while_there(self._workers.claim(server.id, lease_ms=lease_ms, wait_ms=wait_ms))
        if grant is None:
            return Answer(b"", 204)
        return Answer(self._wire(grant, lease_ms))
