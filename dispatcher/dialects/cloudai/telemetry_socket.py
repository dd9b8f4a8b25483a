"""`/ws/telemetry` and `/ws/telemetry/{id}`: the load of the workers at once, then every 5 seconds."""

from functools import partial

from starlette.types import Receive, Scope, Send

from dispatcher.dialects.cloudai import wire_workers as wire
from dispatcher.dialects.cloudai.errors import render
from dispatcher.dialects.cloudai.sockets import SocketLimits, doorkeeper, while_there
from dispatcher.dialects.cloudai.worker_answers import StreamedTelemetry
from dispatcher.dialects.cloudai.workers import shown_name
from dispatcher.dialects.gate import Gate
from dispatcher.dialects.operation import ANYBODY
from dispatcher.domain.clock import Clock
from dispatcher.domain.errors import DispatchError
from dispatcher.domain.principal import Principal
from dispatcher.service.services import Services
from dispatcher.service.telemetry import Snapshot
from dispatcher.web.answer import encode_json
from dispatcher.web.event_stream import Inlet, Outbox
from dispatcher.web.request_id import request_id_of


class Pictures:
    """A snapshot as its viewers are sent it: each text is made once, for all who see the same."""

    def __init__(self) -> None:
        self._of: Snapshot | None = None
        self._texts: dict[tuple[str, str, bool, str | None], str] = {}

    def text(self, snapshot: Snapshot, viewer: Principal, only: str | None) -> str:
        """Of the worker `only`, or of all; nothing of one that is not there."""
        if snapshot is not self._of:
            self._of, self._texts = snapshot, {}
        key = (viewer.realm, viewer.owner.sub, viewer.is_admin, only)
        if key not in self._texts:
            self._texts[key] = _picture(snapshot, viewer, only)
        return self._texts[key]


def _picture(snapshot: Snapshot, viewer: Principal, only: str | None) -> str:
    workers: dict[str, StreamedTelemetry] = {}
    for server in snapshot.servers:
        if only is None or shown_name(server, viewer) == only:
            told = wire.streamed(server, snapshot.running.get(server.id, ()), viewer, snapshot.at_ms)
            workers[told["worker_id"]] = told
    return encode_json({"workers": workers}).decode()


class TelemetrySocket:
    """The ASGI application behind both."""

    def __init__(self, services: Services, gate: Gate, clock: Clock, limits: SocketLimits) -> None:
        self._telemetry = services.telemetry
        self._door = doorkeeper(gate, ANYBODY, clock, limits)
        self._pictures = Pictures()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        only: str | None = scope["path_params"].get("id")
        request_id = request_id_of(scope)

        def tell(error: DispatchError) -> str:
            return render(error, request_id).decode()

        await self._door.admit(scope, receive, send, partial(self._serve, only), tell)

    async def _serve(self, only: str | None, viewer: Principal, inlet: Inlet, outbox: Outbox) -> None:
        await while_there(inlet, self._show(only, viewer, outbox))

    async def _show(self, only: str | None, viewer: Principal, outbox: Outbox) -> None:
        with self._telemetry.follow() as follower:
            while True:
                snapshot = await follower.next()
                await outbox.deliver(self._pictures.text(snapshot, viewer, only))
