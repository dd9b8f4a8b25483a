"""Handlers of the task operations: decode, call the service, encode."""

from dispatcher.dialects.call import Answer, Call
from dispatcher.dialects.native import wire_tasks as wire
from dispatcher.dialects.native.answers import TaskListAnswer, TaskMessage
from dispatcher.dialects.native.options import ORIGIN, NativeOptions
from dispatcher.dialects.native.reporter import reporter_of
from dispatcher.dialects.native.requests import CreateTask, Steer
from dispatcher.dialects.native.validation import validate
from dispatcher.dialects.native.wire_reports import report
from dispatcher.domain.digest import digest_json
from dispatcher.domain.errors import Invalid, counted
from dispatcher.domain.ids import new_task_id
from dispatcher.domain.reporter import ByAdmin
from dispatcher.service.ports import IdempotencyKey
from dispatcher.service.services import Services
from dispatcher.web.answer import encode_json
from dispatcher.web.query import choice, whole
from dispatcher.web.request_headers import Preferences, attempt_number, idempotency_key, preferences, traceparent

MOST_LISTED = 1000
FARTHEST = 10_000  # the store reads all that comes before a page


class TaskRoutes:
    def __init__(self, services: Services, options: NativeOptions) -> None:
        self._submit = services.submit
        self._tasks = services.tasks
        self._options = options

    async def create(self, call: Call) -> Answer:
        key = idempotency_key(call.headers)
        prefer = preferences(call.headers)
        json = await call.json()
        body = validate(CreateTask, json.members)
        task = wire.new_task(
            body,
            json.raw_members["payload"],
            new_task_id(),
            call.caller.owner,
            self._options,
            traceparent(call.headers),
        )
        created, ended = await self._submit.create(
            task,
            rate=call.rule,
            key=IdempotencyKey(key, digest_json(json.raw)) if key is not None else None,
            wait_ms=self._wait_ms(prefer, asked=not body.asynchronous),
        )
        headers = {"Location": f"/api/task/{created.task_id}", **self._applied(prefer)}
        if created.replayed:
            headers["Idempotency-Replayed"] = "true"
            if ended is None:
                with counted(created.rate):
                    ended, _ = await self._tasks.get(call.caller, created.task_id, origin=ORIGIN)
        status = 200
        if prefer.respond_async and (ended is None or not ended.ended):
            status = 202
            headers["Preference-Applied"] = ", ".join(["respond-async", *self._applied(prefer).values()])
        text = wire.task_json(ended) if ended else encode_json(wire.created_answer(created, body))
        return Answer(text, status, headers, created.rate)

    async def get(self, call: Call) -> Answer:
        prefer = preferences(call.headers)
        task, rate = await self._tasks.get(
            call.caller, call.path_id, origin=ORIGIN, rate=call.rule, wait_ms=self._wait_ms(prefer, asked=False)
        )
        return Answer(wire.task_json(task), headers=self._applied(prefer), rate=rate)

    async def find(self, call: Call) -> Answer:
        status = choice(call.query, "status", tuple(wire.STATES))
        everybody = choice(call.query, "all", ("true", "false")) == "true"
        offset = whole(call.query, "offset", default=0, least=0, most=FARTHEST)
        limit = whole(call.query, "limit", default=100, least=1, most=MOST_LISTED)
        if offset + limit > FARTHEST:
            raise Invalid(f"Invalid parameter offset: offset + limit must be at most {FARTHEST}", field="offset")
        tasks, total = await self._tasks.find(
            call.caller,
            origin=ORIGIN,
            states=wire.STATES[status] if status else (),
            offset=offset,
            limit=limit,
            everybody=everybody,
        )
        listed = [wire.task_answer(task) for task in tasks]
        return Answer(encode_json(TaskListAnswer(tasks=listed, total=total, limit=limit, offset=offset)))

    async def update(self, call: Call) -> Answer:
        json = await call.json()
        said = report(json, attempt_number(call.headers))
        by = reporter_of(call, said.attempt)
        task = await self._tasks.report(
            call.path_id,
            origin=ORIGIN if isinstance(by, ByAdmin) else None,  # a worker's task may have come by any API
            by=by,
            outcome=said.outcome,
            progress=said.progress,
        )
        return Answer(wire.task_json(task, message="Task updated", taskId=task.id))

    async def retry(self, call: Call) -> Answer:
        await self._submit.retry(call.caller, call.path_id, ORIGIN, self._options.waiting_ms)
        return _done(call, "Task queued for retry")

    async def cancel(self, call: Call) -> Answer:
        await self._tasks.cancel(call.caller, call.path_id, origin=ORIGIN)
        return _done(call, "Task cancelled")

    async def pause(self, call: Call) -> Answer:
        body = validate(Steer, (await call.json_if_any()).members)
        await self._tasks.pause(call.caller, call.path_id, origin=ORIGIN, reason=body.reason)
        return _done(call, "Task paused")

    async def resume(self, call: Call) -> Answer:
        body = validate(Steer, (await call.json_if_any()).members)
        await self._tasks.resume(call.caller, call.path_id, origin=ORIGIN, reason=body.reason)
        return _done(call, "Task resumed")

    async def delete(self, call: Call) -> Answer:
        await self._tasks.delete(call.caller, call.path_id, origin=ORIGIN)
        return _done(call, "Task deleted")

    def _wait_ms(self, prefer: Preferences, *, asked: bool) -> int:
        """How long to wait for the end: what `Prefer: wait` says within the limit, else the limit when `asked` to."""
        if prefer.wait_s is not None:
            return min(prefer.wait_s * 1000, self._options.sync_limit_ms)
        return self._options.sync_limit_ms if asked and not prefer.respond_async else 0

    def _applied(self, prefer: Preferences) -> dict[str, str]:
        if prefer.wait_s is None:
            return {}
        return {"Preference-Applied": f"wait={self._wait_ms(prefer, asked=False) // 1000}"}


def _done(call: Call, message: str) -> Answer:
    return Answer(encode_json(TaskMessage(message=message, taskId=call.path_id)))
