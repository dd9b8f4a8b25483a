"""Handlers of what clients do: hand in, look at and cancel jobs."""

import asyncio
import re
from typing import Any

from dispatcher.dialects.call import Answer, Call
from dispatcher.dialects.jobs import wire_jobs as wire
from dispatcher.dialects.jobs.answers import BulkJob, CancelError, CancelledJobs, SubmittedJob
from dispatcher.dialects.jobs.errors import about
from dispatcher.dialects.jobs.options import BASE, ORIGIN, PRIORITIES, JobsOptions
from dispatcher.dialects.jobs.requests import TYPE, CancelJobs, SubmitJob
from dispatcher.dialects.validation import validate
from dispatcher.domain.digest import digest_json
from dispatcher.domain.errors import DispatchError, IllegalState, Invalid, NotFound
from dispatcher.domain.ids import as_uuid
from dispatcher.domain.principal import Principal
from dispatcher.domain.task import NewTask
from dispatcher.service.ports import IdempotencyKey
from dispatcher.service.services import Services
from dispatcher.web.answer import encode_json
from dispatcher.web.query import choice, one, whole
from dispatcher.web.request_headers import idempotency_key
from dispatcher.web.times import iso

MOST = 1000  # jobs of one call
CHUNK = 64


def job_id(text: str) -> str:
    """Raises NotFound for a text that is no UUID: there can be no such job."""
    found = as_uuid(text)
    if found is None:
        raise NotFound("Job not found")
    return found


class JobRoutes:
    def __init__(self, services: Services, options: JobsOptions) -> None:
        self._submit = services.submit
        self._batches = services.batches
        self._tasks = services.tasks
        self._options = options

    async def submit(self, call: Call) -> Answer:
        key = idempotency_key(call.headers)
        json = await call.json()
        body = validate(SubmitJob, json.members)
        created, _ = await self._submit.create(
            wire.new_job(body, call.caller, self._options),
            rate=call.rule,
            key=IdempotencyKey(key, digest_json(json.raw)) if key is not None else None,
        )
        answer = SubmittedJob(
            id=created.task_id,
            type=body.type,
            status=wire.status_word(created.state),
            created_at=iso(created.created_ms),
        )
        headers = {"Location": f"{call.scope.get('root_path', '')}{BASE}/jobs/{created.task_id}"}
        return Answer(encode_json(answer), 201, headers, created.rate)

    async def submit_many(self, call: Call) -> Answer:
        if idempotency_key(call.headers) is not None:  # a caller who sends one relies on it
            raise Invalid("Idempotency-Key is for single submits only", field="Idempotency-Key")
        given = await call.json_array()
        if not 1 <= len(given) <= MOST:
            raise Invalid(f"The body must hold 1 to {MOST} jobs")
        jobs = [self._checked(index, member, call.caller) for index, member in enumerate(given)]
        _, rate = await self._batches.create(jobs, rate=call.rule)
        return Answer(encode_json([BulkJob(id=job.id, status="pending") for job in jobs]), 201, rate=rate)

    def _checked(self, index: int, member: Any, caller: Principal) -> NewTask:
        try:
            if not isinstance(member, dict):
                raise Invalid("Each job must be an object")
            return wire.new_job(validate(SubmitJob, member), caller, self._options)
        except Invalid as error:
            error.context["index"] = index
            raise

    async def find(self, call: Call) -> Answer:
        query = call.query
        status = choice(query, "status", tuple(wire.STATES))
        priority = choice(query, "priority", PRIORITIES)
        job_type = one(query, "type")
        if job_type is not None and re.fullmatch(TYPE, job_type) is None:
            raise Invalid("Invalid parameter type: must be 1 to 128 characters without spaces", field="type")
        offset = whole(query, "offset", default=0, least=0, most=999_999_999)
        limit = whole(query, "limit", default=100, least=1, most=MOST, capped=True)
        tasks, total = await self._tasks.find(
            call.caller,
            origin=ORIGIN,
            states=wire.STATES[status] if status else (),
            offset=offset,
            limit=limit,
            everybody=call.caller.is_admin,
            facets=wire.facets_asked(priority, job_type),
        )
        return Answer(encode_json([wire.listed(task) for task in tasks]), headers={"X-Total-Count": str(total)})

    async def get(self, call: Call) -> Answer:
        with about(call.path_id):
            task, rate = await self._tasks.get(
                call.caller, job_id(call.path_id), origin=ORIGIN, rate=call.rule, payload=True
            )
        return Answer(encode_json(wire.details(task)), rate=rate)

    async def cancel(self, call: Call) -> Answer:
        with about(call.path_id):
            await self._cancel(call.caller, call.path_id)
            task, _ = await self._tasks.get(call.caller, job_id(call.path_id), origin=ORIGIN, payload=True)
        return Answer(encode_json(wire.details(task)))

    async def cancel_many(self, call: Call) -> Answer:
        wanted = list(dict.fromkeys(validate(CancelJobs, (await call.json()).members).job_ids))
        errors: list[CancelError] = []
        for start in range(0, len(wanted), CHUNK):
            found = await asyncio.gather(*(self._refusal(call.caller, one) for one in wanted[start : start + CHUNK]))
            errors += [error for error in found if error is not None]
        answer = CancelledJobs(cancelled=len(wanted) - len(errors), failed=len(errors), errors=errors)
        return Answer(encode_json(answer))

    async def _refusal(self, caller: Principal, given: str) -> CancelError | None:
        try:
            await self._cancel(caller, given)
        except (NotFound, IllegalState) as error:
            return CancelError(job_id=given[:80], error=_text(error))
        return None

    async def _cancel(self, caller: Principal, given: str) -> None:
        not_pending = IllegalState("Job is not in pending state")
        try:
            cancelled = await self._tasks.cancel(caller, job_id(given), origin=ORIGIN, waiting_only=True)
        except IllegalState:
            raise not_pending from None
        if cancelled.already:
            raise not_pending


def _text(error: DispatchError) -> str:
    return "Job not found" if isinstance(error, NotFound) else error.message
