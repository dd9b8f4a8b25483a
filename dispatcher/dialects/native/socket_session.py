"""One signed-in socket: its subscriptions, and what each of them was sent last."""

import asyncio

from dispatcher.dialects.native.errors import error_message
from dispatcher.dialects.native.options import ORIGIN
from dispatcher.dialects.native.wire_tasks import as_of, task_json
from dispatcher.domain.errors import DispatchError, Invalid, NotFound
from dispatcher.domain.principal import Principal
from dispatcher.domain.task import Task
from dispatcher.service.services import Services
from dispatcher.web.answer import encode_json
from dispatcher.web.event_stream import Inlet, Outbox
from dispatcher.web.jsonbody import parse_object


class Session:
    """`revs` holds the revision that each watched task was sent last; None before its first snapshot.

    A task is put under watch before it is read, so no change falls between; the lock keeps its updates in order.
    """

    def __init__(
        self, services: Services, principal: Principal, outbox: Outbox, request_id: str, most_subscriptions: int
    ) -> None:
        self._tasks = services.tasks
        self._watch = services.watch
        self._subscription = services.watch.subscribe()
        self._principal = principal
        self._outbox = outbox
        self._request_id = request_id
        self._most = most_subscriptions
        self._revs: dict[str, int | None] = {}
        self._lock = asyncio.Lock()

    def close(self) -> None:
        self._subscription.close()

    async def listen(self, inlet: Inlet) -> None:
        """Handle messages until the socket ends. What a message did wrong is answered, not punished."""
        while True:
            raw = await inlet.next()
            try:
                await self._handle(raw)
            except DispatchError as error:
                self._tell_error(error)

    async def follow(self) -> None:
        """Send news of watched tasks, until cancelled."""
        while True:
            task_id = await self._subscription.next()
            if task_id is None:  # news was lost: look at everything
                self._subscription.caught_up()
            for changed in list(self._revs) if task_id is None else [task_id]:
                await self._catch_up(changed)

    async def _handle(self, raw: bytes) -> None:
        message = parse_object(raw).members
        match message.get("type"):
            case "subscribe":
                await self._subscribe(_task_id(message), _rev(message))
            case "unsubscribe":
                task_id = _task_id(message)
                self._drop(task_id)
                self._tell({"type": "unsubscribed", "taskId": task_id})
            case "ping":
                self._tell({"type": "pong"})
            case "auth":
                raise Invalid("Already signed in")
            case _:
                raise Invalid("Unknown message type", field="type")

    async def _subscribe(self, task_id: str, rev: int | None) -> None:
        if task_id not in self._revs and len(self._revs) >= self._most:
            raise Invalid(f"At most {self._most} subscriptions")
        await self._task(task_id)  # only one's own
        async with self._lock:
            self._revs[task_id] = rev
            self._subscription.add(task_id)
            self._tell({"type": "subscribed", "taskId": task_id})
        await self._catch_up(task_id)

    async def _catch_up(self, task_id: str) -> None:
        """Send what the socket has not seen of a task."""
        async with self._lock:
            if task_id not in self._revs:
                return
            try:
                await self._send_news(task_id, self._revs[task_id])
            except NotFound as gone:
                self._drop(task_id)
                self._tell_error(gone)

    async def _send_news(self, task_id: str, seen: int | None) -> None:
        if seen is None:
            self._send_update(await self._task(task_id))
            return
        updates, trimmed = await self._watch.updates(task_id, seen)
        task = await self._task(task_id)
        if trimmed or seen > task.rev:  # a revision from nowhere is answered like a lost one
            self._send_update(task, reset=True)
            return
        for update in updates:
            self._send_update(as_of(task, update))

    async def _task(self, task_id: str) -> Task:
        task, _ = await self._tasks.get(self._principal, task_id, origin=ORIGIN)
        return task

    def _send_update(self, task: Task, *, reset: bool = False) -> None:
        mark = '"reset":true,' if reset else ""
        task_text = task_json(task).decode()  # spliced, so that the result stays as it came
        self._outbox.put(f'{{"type":"task.update","rev":{task.rev},{mark}"task":{task_text}}}')
        self._revs[task.id] = task.rev

    def _drop(self, task_id: str) -> None:
        self._revs.pop(task_id, None)
        self._subscription.remove(task_id)

    def _tell(self, message: dict[str, str]) -> None:
        self._outbox.put(encode_json(message).decode())

    def _tell_error(self, error: DispatchError) -> None:
        self._outbox.put(error_message(error, self._request_id))


def _task_id(message: dict[str, object]) -> str:
    task_id = message.get("taskId")
    if task_id is None:
        raise Invalid("Missing required field: taskId", field="taskId")
    if not isinstance(task_id, str):
        raise Invalid("Invalid field taskId: must be a string", field="taskId")
    return task_id


def _rev(message: dict[str, object]) -> int | None:
    rev = message.get("rev")
    if rev is None:
        return None
    if not isinstance(rev, int) or isinstance(rev, bool) or not 0 <= rev < 2**53:
        raise Invalid("Invalid field rev: must be a whole number", field="rev")
    return rev
