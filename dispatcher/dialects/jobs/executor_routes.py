"""Handlers of what executors do: claim a job, show that it runs, say how it ended."""

from dataclasses import replace

from dispatcher.dialects.call import Answer, Call
from dispatcher.dialects.jobs import wire_jobs as wire
from dispatcher.dialects.jobs.errors import about, refused_as
from dispatcher.dialects.jobs.executors import identify, new_executor, note
from dispatcher.dialects.jobs.job_routes import job_id
from dispatcher.dialects.jobs.options import ORIGIN, JobsOptions
from dispatcher.dialects.jobs.parameters import LEASE
from dispatcher.dialects.jobs.requests import ClaimJob, CompleteJob, FailJob, Heartbeat
from dispatcher.dialects.jobs.wire_results import completed, failed
from dispatcher.dialects.validation import validate
from dispatcher.domain.errors import IllegalState, NotFound
from dispatcher.domain.failure import Outcome
from dispatcher.domain.grant import Grant
from dispatcher.domain.reporter import ByHolder
from dispatcher.service.services import Services
from dispatcher.web.answer import encode_json
from dispatcher.web.query import whole
from dispatcher.web.request_headers import attempt_number, preferences

Said = Heartbeat | CompleteJob | FailJob


class ExecutorRoutes:
    def __init__(self, services: Services, options: JobsOptions) -> None:
        self._tasks = services.tasks
        self._workers = services.workers
        self._options = options

    async def claim(self, call: Call) -> Answer:
        body = validate(ClaimJob, (await call.json()).members)
        worker = identify(call.caller, body.executor_id)
        client = call.scope.get("client")
        kept = note(body.executor_id, body.executor_ip or (client[0] if client else None))
        grant = await call.while_there(self._claim(worker, body.executor_id, kept, call))
        if grant is None:
            return Answer(b"", 204)
        details = await self._details(worker, grant.task_id)
        return replace(details, headers={LEASE.name: f"{self._options.lease_ms / 1000:g}"})

    async def heartbeat(self, call: Call) -> Answer:
        body = validate(Heartbeat, (await call.json()).members)
        worker = identify(call.caller, body.executor_id)
        with refused_as(NotFound, "Job not found or not running"), about(call.path_id):
            await self._tasks.report(
                job_id(call.path_id),
                origin=ORIGIN,
                by=_holder(call, worker, body),
                outcome=None,
                progress=0.0,
                lease_ms=self._options.lease_ms,
            )
        return await self._details(worker, job_id(call.path_id))

    async def complete(self, call: Call) -> Answer:
        body = validate(CompleteJob, (await call.json()).members)
        return await self._end(call, body, completed(body))

    async def fail(self, call: Call) -> Answer:
        body = validate(FailJob, (await call.json()).members)
        return await self._end(call, body, failed(body))

    async def _end(self, call: Call, body: CompleteJob | FailJob, outcome: Outcome) -> Answer:
        worker = identify(call.caller, body.executor_id)
        with refused_as(IllegalState, "Invalid state transition"), about(call.path_id):
            await self._tasks.report(
                job_id(call.path_id), origin=ORIGIN, by=_holder(call, worker, body), outcome=outcome, progress=None
            )
        return await self._details(worker, job_id(call.path_id))

    async def _claim(self, worker: str, executor_id: str, kept: str, call: Call) -> Grant | None:
        lease_ms, wait_ms = self._options.lease_ms, self._wait_ms(call)
        try:
            return await self._workers.claim(worker, lease_ms=lease_ms, wait_ms=wait_ms, note=kept)
        except NotFound:  # its first claim
            new = new_executor(worker, executor_id, self._options, only=call.caller.door)
            await self._workers.enlist(new)
            return await self._workers.claim(worker, lease_ms=lease_ms, wait_ms=wait_ms, note=kept)

    def _wait_ms(self, call: Call) -> int:
        """`?wait=s`, else `Prefer: wait=s`, within the longest wait."""
        given = whole(call.query, "wait", default=preferences(call.headers).wait_s or 0, least=0, most=999_999)
        return min(given * 1000, self._options.wait_max_ms)

    async def _details(self, worker: str, task_id: str) -> Answer:
        with about(task_id):
            task = await self._tasks.held_by(worker, task_id, origin=ORIGIN)
        return Answer(encode_json(wire.details(task)))


def _holder(call: Call, worker: str, body: Said) -> ByHolder:
    attempt = body.attempt if body.attempt is not None else attempt_number(call.headers)
    return ByHolder(worker, attempt or None)
