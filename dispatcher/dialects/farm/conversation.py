"""One connected client: what it says, and what becomes of it."""

from dataclasses import replace
from typing import Any

from dispatcher.dialects.farm.channel import GOING_AWAY, POLICY, REMEMBERED, FarmChannel
from dispatcher.dialects.farm.clients import known_of, offer_of
from dispatcher.dialects.farm.messages import (
    MOST_ID,
    Heartbeat,
    RuleBroken,
    TaskProgress,
    TaskRequest,
    TaskResult,
    read_message,
)
from dispatcher.dialects.farm.options import FarmOptions
from dispatcher.dialects.farm.reports import Reports
from dispatcher.dialects.farm.wire_messages import ack_message, error_message, outcome_of
from dispatcher.dialects.validation import validate
from dispatcher.domain.clock import Clock
from dispatcher.domain.errors import AlreadyEnded, DispatchError, Invalid, NotFound, Replaced, Unavailable
from dispatcher.domain.server import Server
from dispatcher.service.retry import OUTAGE
from dispatcher.service.servers import Servers
from dispatcher.service.sessions import Session
from dispatcher.web.answer import encode_json
from dispatcher.web.event_stream import CloseSocket, Inlet, Outbox

OUT_OF_REACH = "The store is out of reach"


class Conversation:
    """What a message did wrong is answered, not punished; but for one that is no JSON, or of another client."""

    def __init__(
        self,
        session: Session,
        channel: FarmChannel,
        outbox: Outbox,
        servers: Servers,
        clock: Clock,
        *,
        server: Server,
        address: str,
        request_id: str,
        options: FarmOptions,
    ) -> None:
        self._session = session
        self._channel = channel
        self._outbox = outbox
        self._servers = servers
        self._clock = clock
        self._server = server
        self._known = replace(known_of(server), address=address)
        self._offer = server.offer
        self._request_id = request_id
        self._options = options
        self._spoken_of: set[str] | None = set()  # tasks that it names on this connection, until it asks for one
        self.reports = Reports(self._report)

    async def listen(self, inlet: Inlet) -> None:
        """Handle messages until the socket ends."""
        await self._offer_again()
        await self._beat()
        while True:
            raw = await inlet.next()
            message: dict[str, Any] = {}
            try:
                message = read_message(raw)
                await self._handle(message)
            except RuleBroken as error:
                self._refuse(error.members, error)
            except DispatchError as error:
                self._refuse(message, error)

    async def _handle(self, message: dict[str, Any]) -> None:
        if message.get("client_id", self._server.name) != self._server.name:
            raise CloseSocket(POLICY, "client_id is not the Client-ID of this connection")
        match message.get("type"):
            case "task_request":
                request = validate(TaskRequest, message)
                try:
                    await self._request(request)
                except OUTAGE:  # a client asks once for each task, but anew when it has connected anew
                    raise CloseSocket(GOING_AWAY, OUT_OF_REACH) from None
            case "task_progress":
                progress = validate(TaskProgress, message)
                self._speaks_of([progress.task_id])
                self.reports.put(progress)
            case "task_result":
                await self._result(validate(TaskResult, message))
            case "heartbeat":
                await self._heartbeat(validate(Heartbeat, message))
            case _:
                raise Invalid("Unknown message type", field="type")

    async def _request(self, request: TaskRequest) -> None:
        if request.resources is not None:
            self._known = replace(self._known, resources=request.resources)
            await self._offer_again()
            await self._beat()
        if self._spoken_of is not None:  # one that comes back and asks for work has nothing but what it spoke of
            await self._session.has_only(self._spoken_of)
            self._spoken_of = None
        self._session.ask()

    def _speaks_of(self, task_ids: list[str]) -> None:
        if self._spoken_of is not None and len(self._spoken_of) < REMEMBERED:
            self._spoken_of.update(task_ids)

    async def _heartbeat(self, heartbeat: Heartbeat) -> None:
        self._speaks_of(heartbeat.running or [])
        resources = heartbeat.resources or self._known.resources
        self._known = replace(self._known, system_info=heartbeat.system_info, resources=resources)
        await self._offer_again()
        await self._beat(heartbeat.boot_id, heartbeat.running)

    async def _offer_again(self) -> None:
        """Offer what the client says it has, where that is news."""
        offer = offer_of(self._known.resources, self._options, self._offer.only)
        if offer != self._offer:
            self._offer = (await self._servers.reoffer(self._server.id, offer)).offer

    async def _beat(self, boot_id: str | None = None, running: list[str] | None = None) -> None:
        try:
            await self._session.heartbeat(metrics=self._known.to_json(), boot_id=boot_id, running=running)
        except NotFound:
            raise CloseSocket(GOING_AWAY, "This client was unregistered") from None
        except Replaced:
            await self._session.give_way()

    async def _report(self, report: TaskProgress) -> None:
        try:
            await self._session.progress(
                report.task_id,
                report.progress,
                fence=report.attempt,
                metrics=encode_json(report.metrics) if report.metrics else None,
                checkpoint=report.checkpoint_path or None,
            )
        except DispatchError as error:
            self._tell_error(error, task_id=report.task_id)

    async def _result(self, result: TaskResult) -> None:
        self._speaks_of([result.task_id])
        await self.reports.flush(result.task_id)
        refused: DispatchError | None = None
        try:
            await self._keep_checkpoint(result)
            await self._finish(result)
        except DispatchError as error:
            refused = error
        self._outbox.put(ack_message(result.task_id, self._clock.now_ms(), refused))

    async def _keep_checkpoint(self, result: TaskResult) -> None:
        """For the next attempt, which a distributed task may have though this client has completed its part. Raises
        Unavailable: then the result has to be sent again, checkpoint and all."""
        if not result.checkpoint_path:
            return
        try:
            await self._session.progress(result.task_id, 0.0, fence=result.attempt, checkpoint=result.checkpoint_path)
        except Unavailable:
            raise
        except DispatchError:  # of a task that ended: `finish` judges that
            return

    async def _finish(self, result: TaskResult) -> None:
        """What comes too late for a task that was stopped or removed is dropped. Raises DispatchError."""
        try:
            await self._session.finish(result.task_id, outcome_of(result), fence=result.attempt)
        except AlreadyEnded:
            return
        except NotFound:
            given = self._channel.last_given(result.task_id)
            if given is None:
                raise
            await self._session.let_go(result.task_id, given)

    def _refuse(self, message: dict[str, Any], error: DispatchError) -> None:
        """Nobody resends for ever what can never be taken: a result has its acknowledgement, whatever is wrong."""
        task_id = message.get("task_id")
        named = task_id if isinstance(task_id, str) and len(task_id) <= MOST_ID else None
        self._tell_error(error, task_id=named)
        if named is not None and message.get("type") == "task_result":
            self._outbox.put(ack_message(named, self._clock.now_ms(), error))

    def _tell_error(self, error: DispatchError, *, task_id: str | None = None) -> None:
        if task_id is not None:
            error.context["task_id"] = task_id
        self._outbox.put(error_message(error, self._request_id, self._clock.now_ms()))
