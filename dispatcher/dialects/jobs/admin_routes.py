"""Handlers about the queue as a whole: health, metrics, statistics, executors."""

from dispatcher.dialects.call import Answer, Call
from dispatcher.dialects.jobs.answers import Executor, HealthAnswer, JobsByStatus, PendingByPriority, Statistics
from dispatcher.dialects.jobs.metrics_text import CONTENT_TYPE, Sample, family
from dispatcher.dialects.jobs.options import ORIGIN, PRIORITIES
from dispatcher.dialects.jobs.wire_jobs import STATES
from dispatcher.domain.errors import Unavailable
from dispatcher.domain.server import Server
from dispatcher.domain.stats import Counts
from dispatcher.domain.transitions import TaskState
from dispatcher.service.services import Services
from dispatcher.web.answer import encode_json
from dispatcher.web.errors import error_headers
from dispatcher.web.health import Health
from dispatcher.web.times import iso


def _in(states: dict[TaskState, int], word: str) -> int:
    return sum(states[state] for state in STATES[word])


class AdminRoutes:
    def __init__(self, services: Services, health: Health) -> None:
        self._services = services
        self._health = health

    async def health(self, call: Call) -> Answer:
        status, _ = await self._health.report()
        if status == 200:
            return Answer(encode_json(HealthAnswer(status="healthy", database="connected")))
        unhealthy = HealthAnswer(status="unhealthy", database="disconnected")
        return Answer(encode_json(unhealthy), 503, error_headers(Unavailable("The store cannot be reached")))

    async def stats(self, call: Call) -> Answer:
        found = await self._services.stats.standing(ORIGIN, ("", *PRIORITIES))
        answer = Statistics(
            jobs_by_status=JobsByStatus(**{word: _in(found[""], word) for word in STATES}),  # type: ignore[typeddict-item]
            pending_by_priority=PendingByPriority(
                **{priority: _in(found[priority], "pending") for priority in PRIORITIES}  # type: ignore[typeddict-item]
            ),
            active_executors=len(await self._active()),
        )
        return Answer(encode_json(answer))

    async def executors(self, call: Call) -> Answer:
        active = await self._active()
        ids = [server.id for server in active]
        running = await self._services.tasks.running(ids)
        totals = await self._services.stats.server_totals(ids)
        answer = []
        for server in active:
            mine = running[server.id]  # the last started first
            answer.append(
                Executor(
                    executor_id=server.name,
                    current_job_id=mine[0].id if mine else None,
                    job_type=mine[0].type if mine else None,
                    last_heartbeat=iso(server.last_seen_ms),
                    jobs_completed=totals[server.id].completed,
                    current_job_ids=[task.id for task in mine],
                )
            )
        return Answer(encode_json(answer))

    async def metrics(self, call: Call) -> Answer:
        by_priority = await self._services.stats.standing(ORIGIN, PRIORITIES)
        totals = await self._services.stats.totals(ORIGIN)
        jobs: list[Sample] = [
            ("", {"status": word, "priority": priority}, _in(by_priority[priority], word))
            for word in STATES
            for priority in PRIORITIES
        ]
        active: list[Sample] = [("", {}, len(await self._active()))]
        text = family("dispatcher_jobs", "gauge", "Jobs that are kept, by status and priority.", jobs)
        text += family("dispatcher_executors_active", "gauge", "Executors heard of within the lease time.", active)
        return Answer((text + _totals(totals)).encode(), headers={"Content-Type": CONTENT_TYPE})

    async def _active(self) -> list[Server]:
        """Executors that claimed or sent a heartbeat within the lease time."""
        return [server for server in await self._services.servers.all() if server.origin == ORIGIN and server.online]


def _totals(totals: Counts) -> str:
    counters = {
        "dispatcher_jobs_submitted_total": ("Jobs submitted.", totals.created),
        "dispatcher_jobs_completed_total": ("Jobs that ended as completed.", totals.completed),
        "dispatcher_jobs_failed_total": ("Jobs that ended as failed.", totals.failed),
        "dispatcher_jobs_cancelled_total": ("Jobs that were cancelled.", totals.cancelled),
        "dispatcher_job_attempts_failed_total": ("Executions that were lost.", totals.attempt_failures),
    }
    text = "".join(family(name, "counter", about, [("", {}, value)]) for name, (about, value) in counters.items())
    spent: list[Sample] = [("_sum", {}, totals.duration_ms / 1000), ("_count", {}, totals.timed)]
    about = "From start to end of the execution that ended a job."
    return text + family("dispatcher_job_duration_seconds", "summary", about, spent)
