"""Handlers of the tasks: hand in, look at, steer, remove."""

from contextlib import suppress

from dispatcher.dialects.call import Answer, Call
from dispatcher.dialects.farm import wire_tasks as wire
from dispatcher.dialects.farm.answers import CreatedTask, TaskList
from dispatcher.dialects.farm.errors import about_task
from dispatcher.dialects.farm.options import BASE, ORIGIN, FarmOptions
from dispatcher.dialects.farm.paging import page_asked, page_headers
from dispatcher.dialects.farm.requests import NOT_PUT, CreateTask, UpdateStatus
from dispatcher.dialects.validation import validate
from dispatcher.domain.digest import digest_json
from dispatcher.domain.errors import Conflict, IllegalState, NotFound
from dispatcher.domain.ids import as_uuid
from dispatcher.domain.task import Task, facet_word
from dispatcher.service.ports import IdempotencyKey
from dispatcher.service.services import Services
from dispatcher.web.answer import encode_json
from dispatcher.web.query import choice, one
from dispatcher.web.request_headers import idempotency_key
from dispatcher.web.times import iso


def task_id(call: Call) -> str:
    """Raises NotFound for a text that is no UUID: there can be no such task."""
    found = as_uuid(call.path_id)
    if found is None:
        raise NotFound("Task not found")
    return found


class TaskRoutes:
    def __init__(self, services: Services, options: FarmOptions) -> None:
        self._submit = services.submit
        self._tasks = services.tasks
        self._options = options

    async def find(self, call: Call) -> Answer:
        page = page_asked(call.query)
        status = choice(call.query, "status", tuple(wire.STATES))
        task_type = one(call.query, "type")
        tasks, total = await self._tasks.find(
            call.caller,
            origin=ORIGIN,
            states=wire.STATES[status] if status else (),
            offset=page.offset,
            limit=page.limit,
            everybody=call.caller.is_admin,
            facets=() if task_type is None else (facet_word(task_type),),
        )
        answer = TaskList(tasks=[wire.listed(task) for task in tasks], total=total, page=page.number)
        return Answer(encode_json(answer), headers=page_headers(call, page, total, self._options.public_url))

    async def create(self, call: Call) -> Answer:
        key = idempotency_key(call.headers)
        json = await call.json()
        body = validate(CreateTask, json.members)
        created, _ = await self._submit.create(
            wire.new_task(body, json.members, call.caller, self._options),
            rate=call.rule,
            key=IdempotencyKey(key, digest_json(json.raw)) if key is not None else None,
        )
        answer = CreatedTask(
            id=created.task_id, status=wire.status_word(created.state), created_at=iso(created.created_ms)
        )
        headers = {"Location": f"{call.scope.get('root_path', '')}{BASE}/tasks/{created.task_id}"}
        return Answer(encode_json(answer), 201, headers, created.rate)

    async def get(self, call: Call) -> Answer:
        with about_task():
            task, rate = await self._tasks.get(call.caller, task_id(call), origin=ORIGIN, rate=call.rule, payload=True)
        return Answer(encode_json(wire.details(task)), rate=rate)

    async def update(self, call: Call) -> Answer:
        members = (await call.json()).members
        with about_task():
            if members.get("status") in NOT_PUT:
                await self._task(call)  # somebody else's is not there
                raise Conflict(f"Only the client that runs a task can say that it is {members['status']}")
            await self._change(call, validate(UpdateStatus, members))
            task = await self._task(call)
        return Answer(encode_json(wire.updated(task)))

    async def _change(self, call: Call, body: UpdateStatus) -> None:
        caller, wanted = call.caller, task_id(call)
        match body.status:
            case "paused":
                await self._tasks.pause(caller, wanted, origin=ORIGIN, reason=body.reason)
            case "running":
                if wire.status_word((await self._task(call)).state) == "pending":
                    raise Conflict("A pending task runs as soon as a client asks for it")
                await self._tasks.resume(caller, wanted, origin=ORIGIN, reason=body.reason)
            case "stopped" | "cancelled":
                await self._tasks.cancel(caller, wanted, origin=ORIGIN)
            case "pending":
                await self._submit.retry(caller, wanted, ORIGIN, None)

    async def delete(self, call: Call) -> Answer:
        caller, wanted = call.caller, task_id(call)
        with about_task():
            with suppress(IllegalState):  # it has ended
                await self._tasks.cancel(caller, wanted, origin=ORIGIN)
            await self._tasks.delete(caller, wanted, origin=ORIGIN)
        return Answer(b"", 204)

    async def _task(self, call: Call) -> Task:
        task, _ = await self._tasks.get(call.caller, task_id(call), origin=ORIGIN)
        return task
