"""`/ws/tasks/{id}/logs`: what a task has said, then what it says, until it ends.

{type: connected, task_id, user_id, message}
{type: log, line, task_id}                     one for each line
{type: complete, task_id, status, message}     then the socket is closed with 1000
{type: error, task_id, error}                  instead of more lines
"""

from contextlib import closing
from functools import partial

from starlette.types import Receive, Scope, Send

from dispatcher.dialects.cloudai.options import ORIGIN
from dispatcher.dialects.cloudai.sockets import DONE, SocketLimits, doorkeeper, while_there
from dispatcher.dialects.cloudai.wire_tasks import label_of, status_word
from dispatcher.dialects.gate import Gate
from dispatcher.dialects.operation import CLIENTS
from dispatcher.domain.clock import Clock
from dispatcher.domain.errors import DispatchError, Overrun
from dispatcher.domain.log import LogLine, portions
from dispatcher.domain.principal import Principal
from dispatcher.service.services import Services
from dispatcher.web.answer import encode_json
from dispatcher.web.event_stream import CloseSocket, Inlet, Outbox


class LogSocket:
    """The ASGI application behind it."""

    def __init__(self, services: Services, gate: Gate, clock: Clock, limits: SocketLimits) -> None:
        self._logs = services.logs
        self._tasks = services.tasks
        self._door = doorkeeper(gate, CLIENTS, clock, limits)
        self._stall_s = limits.stall_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        task_id: str = scope["path_params"]["id"]

        def tell(error: DispatchError) -> str:
            return _message("error", task_id, error=error.message)

        await self._door.admit(scope, receive, send, partial(self._serve, task_id), tell)

    async def _serve(self, task_id: str, viewer: Principal, inlet: Inlet, outbox: Outbox) -> None:
        await while_there(inlet, self._tail(task_id, viewer, outbox))

    async def _tail(self, task_id: str, viewer: Principal, outbox: Outbox) -> None:
        task, _ = await self._tasks.get(viewer, task_id, origin=ORIGIN)
        follower = await self._logs.follow(viewer, task_id, origin=ORIGIN)
        with closing(follower):
            outbox.put(_message("connected", task_id, user_id=label_of(task), message="Connected to task log stream"))
            while True:
                page = await follower.next()
                for lines in portions(page.lines):
                    await self._send(outbox, [_line(task_id, line) for line in lines])
                if page.complete and page.ended is not None:
                    word = status_word(page.ended)
                    last = _message("complete", task_id, status=word, message=f"Task completed with status: {word}")
                    await self._send(outbox, [last])
                    raise CloseSocket(DONE, "")

    async def _send(self, outbox: Outbox, messages: list[str]) -> None:
        """Raises Overrun when the client takes nothing any more."""
        try:
            await outbox.deliver_all(messages, within_s=self._stall_s)
        except TimeoutError:
            raise Overrun("Failed to stream logs: too slow, connect again") from None


def _line(task_id: str, line: LogLine) -> str:
    part = {"partial": True} if line.partial else {}
    return encode_json({"type": "log", "line": line.text, "task_id": task_id, **part}).decode()


def _message(kind: str, task_id: str, **more: str) -> str:
    return encode_json({"type": kind, "task_id": task_id[:128], **more}).decode()
