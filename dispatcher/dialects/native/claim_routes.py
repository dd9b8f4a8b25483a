"""The handler of the claim: a server that cannot be called fetches its work."""

from collections.abc import Callable

from dispatcher.dialects.call import Answer, Call
from dispatcher.dialects.native.options import NativeOptions
from dispatcher.dialects.native.requests import ClaimTask
from dispatcher.dialects.native.validation import validate
from dispatcher.dialects.native.wire_claims import claim_json
from dispatcher.domain.errors import IllegalState
from dispatcher.domain.server import Transport
from dispatcher.service.services import Services
from dispatcher.web.request_headers import preferences

CallbackToken = Callable[[str, int, str], str]  # (task id, attempt, nonce)


class ClaimRoutes:
    """`public_url` is where servers reach this gateway."""

    def __init__(
        self, services: Services, options: NativeOptions, *, callback_token: CallbackToken, public_url: str
    ) -> None:
        self._servers = services.servers
        self._workers = services.workers
        self._options = options
        self._callback_token = callback_token
        self._public_url = public_url

    async def claim(self, call: Call) -> Answer:
        body = validate(ClaimTask, (await call.json()).members)
        server = await self._servers.get(call.path_id)
        if server.transport is Transport.PUSH:
            raise IllegalState("This server is registered with transport push: tasks are sent to it")
        wait_s = body.wait if body.wait is not None else preferences(call.headers).wait_s or 0
        lease_ms = self._options.claim_lease_ms
        wait_ms = min(round(wait_s * 1000), self._options.sync_limit_ms)
        grant = await call.while_there(self._workers.claim(server.id, lease_ms=lease_ms, wait_ms=wait_ms))
        if grant is None:
            return Answer(b"", 204)
        text = claim_json(
            grant,
            callback_url=f"{self._public_url}/api/task/{grant.task_id}",
            callback_token=self._callback_token(grant.task_id, grant.fence, grant.nonce),
            lease_ms=lease_ms,
        )
        return Answer(text)
