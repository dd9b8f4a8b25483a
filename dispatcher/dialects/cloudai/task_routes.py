"""Handlers about tasks: hand in, look at, cancel, retry, read the log."""

from dispatcher.dialects.call import Answer, Call
from dispatcher.dialects.cloudai import wire_tasks as wire
from dispatcher.dialects.cloudai.answers import Done, Retried, SubmittedTask, TaskList, TaskLogs
from dispatcher.dialects.cloudai.ids import new_task_id
from dispatcher.dialects.cloudai.options import BASE, MOST_LISTED, ORIGIN, CloudAIOptions
from dispatcher.dialects.cloudai.requests import CreateTask, given
from dispatcher.dialects.cloudai.workers import name_of
from dispatcher.dialects.validation import validate
from dispatcher.domain.clock import Clock
from dispatcher.domain.digest import digest_json
from dispatcher.domain.errors import IllegalState
from dispatcher.domain.log import LogLine, joined
from dispatcher.domain.principal import Principal
from dispatcher.service.ports import IdempotencyKey
from dispatcher.service.services import Services
from dispatcher.web.answer import encode_json
from dispatcher.web.query import choice, filled, whole
from dispatcher.web.request_headers import idempotency_key

GUEST = "guest"


class TaskRoutes:
    """`open_door`: callers bring no token, and are nobody."""

    def __init__(self, services: Services, clock: Clock, options: CloudAIOptions, *, open_door: bool) -> None:
        self._services = services
        self._tasks = services.tasks
        self._clock = clock
        self._options = options
        self._open_door = open_door

    async def create(self, call: Call) -> Answer:
        key = idempotency_key(call.headers)
        json = await call.json()
        body = validate(CreateTask, given(json.members))
        task_id = new_task_id(self._clock.now_ms())
        caller = call.caller
        label = body.user_id or (GUEST if self._open_door else caller.owner.sub)
        task = wire.new_task(body, task_id, caller, label, self._options)
        created, _ = await self._services.submit.create(
            task,
            rate=call.rule,
            key=IdempotencyKey(key, digest_json(json.raw)) if key is not None else None,
        )
        answer = SubmittedTask(
            success=True,
            message="Task submitted successfully",
            task_id=created.task_id,
            task=wire.created(body, created),
        )
        headers = {"Location": f"{call.scope.get('root_path', '')}{BASE}/tasks/{created.task_id}"}
        return Answer(encode_json(answer), 201, headers, created.rate)

    async def find(self, call: Call) -> Answer:
        query = filled(call.query)
        status = choice(query, "status", tuple(wire.STATES))
        offset = whole(query, "offset", default=0, least=0, most=999_999_999)
        limit = whole(query, "limit", default=MOST_LISTED, least=1, most=MOST_LISTED)
        tasks, total = await self._tasks.find(
            call.caller,
            origin=ORIGIN,
            states=wire.STATES[status] if status else (),
            offset=offset,
            limit=limit,
            everybody=call.caller.is_admin,
        )
        known = await self._services.servers.known()
        answer = TaskList(tasks=[wire.listed(t, name_of(t.server_id, known, call.caller)) for t in tasks])
        return Answer(encode_json(answer), headers={"X-Total-Count": str(total)})

    async def get(self, call: Call) -> Answer:
        task, rate = await self._tasks.get(call.caller, call.path_id, origin=ORIGIN, rate=call.rule, payload=True)
        known = await self._services.servers.known()
        worker = name_of(task.server_id, known, call.caller)
        return Answer(encode_json(wire.details(task, worker)), rate=rate)

    async def cancel(self, call: Call) -> Answer:
        try:
            await self._tasks.cancel(call.caller, call.path_id, origin=ORIGIN)
        except IllegalState:
            task, _ = await self._tasks.get(call.caller, call.path_id, origin=ORIGIN)
            raise IllegalState(f"Task {task.id} is already {wire.status_word(task.state)}") from None
        return Answer(encode_json(Done(success=True, message=f"Task {call.path_id} cancelled successfully")))

    async def retry(self, call: Call) -> Answer:
        task, _ = await self._tasks.get(call.caller, call.path_id, origin=ORIGIN, payload=True)
        word = wire.status_word(task.state)
        if word != "failed":
            raise IllegalState(f"Task {task.id} is {word}: only a failed task can be retried")
        created, _ = await self._services.submit.create(wire.again(task, self._options), rate=None, key=None)
        answer = Retried(
            success=True, message="Task retry initiated", new_task_id=created.task_id, original_task_id=task.id
        )
        return Answer(encode_json(answer))

    async def logs(self, call: Call) -> Answer:
        task, _ = await self._tasks.get(call.caller, call.path_id, origin=ORIGIN)
        lines = await self._lines(call.caller, task.id)
        answer = TaskLogs(
            task_id=task.id,
            logs=joined(lines),
            status=wire.status_word(task.state),
            completed_at=wire.seconds(task.ended_ms),
        )
        return Answer(encode_json(answer))

    async def _lines(self, caller: Principal, task_id: str) -> list[LogLine]:
        """All that is kept now; what is said meanwhile is left out, or it would have no end."""
        found: list[LogLine] = []
        at, end = 0, None
        while end is None or at < end:
            page, _ = await self._services.logs.read(caller, task_id, origin=ORIGIN, after=at)
            end = page.last if end is None else end
            if not page.lines:
                break
            found += page.lines
            at = page.lines[-1].seq
        return found
