"""What a worker says on its socket, and what it is answered."""

from collections.abc import Awaitable, Callable

from dispatcher.dialects.native import requests as r
from dispatcher.dialects.native.errors import error_message
from dispatcher.dialects.native.validation import validate
from dispatcher.dialects.native.wire_reports import report
from dispatcher.dialects.native.wire_servers import bounded_metrics, metrics_text
from dispatcher.dialects.native.worker_orders import COMMAND_REPORTS, WorkerOrders
from dispatcher.domain.clock import Clock
from dispatcher.domain.errors import DispatchError, Invalid, NotFound, RateLimited, Replaced, Unavailable
from dispatcher.domain.failure import Outcome, Verdict
from dispatcher.domain.ids import is_id
from dispatcher.domain.server import ServerHealth
from dispatcher.service.sessions import Session
from dispatcher.web.answer import encode_json
from dispatcher.web.event_stream import TOO_BIG, CloseSocket, Inlet, Outbox
from dispatcher.web.jsonbody import JsonObject, parse_object

NORMAL = 1000
_AGAIN = (Unavailable, RateLimited)  # no answer to the report: it is to be sent once more


class WorkerSession:
    """`count` counts a message and raises RateLimited; `fresh_token` is a new token when the worker's ends soon."""

    def __init__(
        self,
        session: Session,
        orders: WorkerOrders,
        outbox: Outbox,
        clock: Clock,
        *,
        request_id: str,
        count: Callable[[], Awaitable[None]],
        fresh_token: Callable[[], str | None],
        max_message: int,
    ) -> None:
        self._session = session
        self._orders = orders
        self._outbox = outbox
        self._clock = clock
        self._request_id = request_id
        self._count = count
        self._fresh_token = fresh_token
        self._max_message = max_message

    async def listen(self, inlet: Inlet) -> None:
        """Handle messages until the socket ends. What a message did wrong is answered, not punished."""
        while True:
            raw = await inlet.next()
            try:
                message = parse_object(raw)
            except Invalid as error:
                self._bound(raw)
                self._tell_error(error)
                continue
            if message.members.get("type") != "result":
                self._bound(raw)
            try:
                await self._handle(message)
            except DispatchError as error:
                self._tell_error(error, **_about(message))

    async def _handle(self, message: JsonObject) -> None:
        kind = message.members.get("type")
        if kind not in ("ping", "ready"):  # a worker says once that it is ready: that must not be lost
            await self._count()
        match kind:
            case "ping":
                self._tell({"type": "pong"})
            case "ready":
                self._session.ask(validate(r.Ready, message.members).slots)
            case "hello":
                await self._orders.hello(validate(r.Hello, message.members))
            case str() if kind in COMMAND_REPORTS:
                await self._orders.told(kind, validate(r.CommandReport, message.members))
            case "heartbeat":
                await self._heartbeat(message)
            case "progress":
                await self._progress(message)
            case "result":
                await self._ended(message, report(message, None).outcome)
            case "release":
                await self._ended(message, _released(validate(r.Release, message.members).declined))
            case "bye":
                self._session.left = True
                raise CloseSocket(NORMAL, "bye")
            case _:
                raise Invalid("Unknown message type", field="type")

    async def _heartbeat(self, message: JsonObject) -> None:
        body = validate(r.Heartbeat, message.members)
        try:
            await self._session.heartbeat(
                health=ServerHealth(body.status),
                active=body.active_tasks,
                metrics=metrics_text(body, message),
                boot_id=body.boot_id,
                running=body.running,
            )
        except NotFound:
            raise CloseSocket(4404, "This server is not registered any more") from None
        except Replaced:  # what it has is not the worker's any more
            await self._session.give_way()
            return
        await self._orders.heard(body.models)
        token = self._fresh_token()
        self._tell({"type": "pong"} if token is None else {"type": "pong", "serverToken": token})

    async def _progress(self, message: JsonObject) -> None:
        body = validate(r.Progress, message.members)
        await self._session.progress(
            body.task_id,
            body.progress,
            fence=body.attempt,
            metrics=bounded_metrics(message).encode() if body.metrics is not None else None,
            checkpoint=body.checkpoint,
        )

    async def _ended(self, message: JsonObject, outcome: Outcome | None) -> None:
        about = validate(r.Attempt, message.members)
        if outcome is None:
            raise Invalid("Invalid field status: a result is COMPLETED or FAILED", field="status")
        answer: dict[str, str | int | bool] = {"type": "ack", "taskId": about.task_id, "attempt": about.attempt}
        try:
            await self._session.finish(about.task_id, outcome, fence=about.attempt)
        except _AGAIN:
            raise
        except DispatchError as error:
            self._tell({**answer, "accepted": False, "code": error.code})
        else:
            self._tell({**answer, "accepted": True})

    def _bound(self, raw: bytes) -> None:
        if len(raw) > self._max_message:
            raise CloseSocket(TOO_BIG, f"Message larger than {self._max_message} bytes")

    def _tell(self, message: dict[str, str] | dict[str, str | int | bool]) -> None:
        self._outbox.put(encode_json(message).decode())

    def _tell_error(self, error: DispatchError, **about: str | int) -> None:
        self._outbox.put(error_message(error, self._request_id, **about))


def _released(declined: str | None) -> Outcome:
    if declined is not None:
        return Outcome(Verdict.DECLINED, text=declined)
    return Outcome(Verdict.RELEASED, text="The worker handed it back")


def _about(message: JsonObject) -> dict[str, str | int]:
    """The attempt or the command that a message was about, where it says so; that it was the hello."""
    kind, command = message.members.get("type"), message.members.get("id")
    if kind == "hello":
        return {"about": "hello"}
    if isinstance(kind, str) and kind in COMMAND_REPORTS and isinstance(command, str) and is_id(command):
        return {"id": command}
    task_id, attempt = message.members.get("taskId"), message.members.get("attempt")
    if isinstance(task_id, str) and len(task_id) <= 64 and type(attempt) is int and 0 < attempt <= 2**53:
        return {"taskId": task_id, "attempt": attempt}
    return {}
