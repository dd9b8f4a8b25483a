"""Handlers of the tasks: hand in, look at, cancel."""

from contextlib import suppress

from dispatcher.dialects.call import Answer, Call
from dispatcher.dialects.cluster import wire_tasks as wire
from dispatcher.dialects.cluster.answers import CancelledTask, SubmittedTask, TaskList
from dispatcher.dialects.cluster.errors import about_task
from dispatcher.dialects.cluster.estimates import Estimates
from dispatcher.dialects.cluster.options import ORIGIN, ClusterOptions
from dispatcher.dialects.cluster.requests import SubmitTask
from dispatcher.dialects.cluster.units import estimate
from dispatcher.dialects.validation import validate
from dispatcher.domain.digest import digest_json
from dispatcher.domain.errors import Invalid, NotFound
from dispatcher.domain.ids import is_id
from dispatcher.service.ports import IdempotencyKey
from dispatcher.service.services import Services
from dispatcher.web.answer import encode_json
from dispatcher.web.query import choice, filled, one, whole
from dispatcher.web.request_headers import idempotency_key
from dispatcher.web.times import iso

LISTED, MOST = 50, 1_000
FARTHEST = 999_999_999


class TaskRoutes:
    def __init__(self, services: Services, estimates: Estimates, options: ClusterOptions) -> None:
        self._submit = services.submit
        self._tasks = services.tasks
        self._estimates = estimates
        self._options = options

    async def submit(self, call: Call) -> Answer:
        key = idempotency_key(call.headers)
        json = await call.json()
        body = validate(SubmitTask, json.members)
        task = wire.new_task(body, call.caller, self._options)
        wait_ms = await self._estimates.wait_ms(task.demand, task.model)
        created, _ = await self._submit.create(
            task,
            rate=None,  # counted before
            key=IdempotencyKey(key, digest_json(json.raw)) if key is not None else None,
        )
        answer = SubmittedTask(
            task_id=created.task_id,
            status=wire.status_word(created.state),
            estimated_wait_time=estimate(wait_ms),
            assigned_worker=None,
            created_at=iso(created.created_ms),
        )
        if not created.replayed:
            self._estimates.submitted()
        elif answer["status"] != "queued":
            answer["estimated_wait_time"] = estimate(0)
            with suppress(NotFound):  # its key is kept longer than itself
                task_now, _ = await self._tasks.get(call.caller, created.task_id, origin=ORIGIN)
                answer["assigned_worker"] = wire.listed(task_now)["assigned_worker"]
        location = f"{call.scope.get('root_path', '')}/tasks/{created.task_id}"
        return Answer(encode_json(answer), headers={"Location": location})

    async def get(self, call: Call) -> Answer:
        with about_task(call.path_id):
            task, _ = await self._tasks.get(call.caller, call.path_id, origin=ORIGIN)
        return Answer(wire.details(task))

    async def find(self, call: Call) -> Answer:
        query = filled(call.query)
        status = choice(query, "status", tuple(wire.STATES))
        worker = one(query, "worker_id")
        if worker is not None and not is_id(worker):
            raise Invalid("Invalid parameter worker_id: must be the id of a worker", field="worker_id")
        offset = whole(query, "offset", default=0, least=0, most=FARTHEST)
        limit = whole(query, "limit", default=LISTED, least=1, most=MOST, capped=True)
        tasks, total = await self._tasks.find(
            call.caller,
            origin=ORIGIN,
            states=wire.STATES[status] if status else (),
            offset=offset,
            limit=limit,
            everybody=call.caller.is_admin,
            facets=() if worker is None else (worker,),
        )
        answer = TaskList(tasks=[wire.listed(task) for task in tasks], total=total, limit=limit, offset=offset)
        return Answer(encode_json(answer))

    async def cancel(self, call: Call) -> Answer:
        with about_task(call.path_id):
            await self._tasks.cancel(call.caller, call.path_id, origin=ORIGIN)
        answer = CancelledTask(message="Task cancelled", task_id=call.path_id, status="cancelled")
        return Answer(encode_json(answer))
