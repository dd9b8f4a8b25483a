"""The job queue dialect, put together."""

from typing import Any

from starlette.types import ASGIApp

from dispatcher.dialects.dialect import Dialect
from dispatcher.dialects.gate import Gate
from dispatcher.dialects.jobs.admin_routes import AdminRoutes
from dispatcher.dialects.jobs.answers import ErrorAnswer
from dispatcher.dialects.jobs.errors import render
from dispatcher.dialects.jobs.executor_routes import ExecutorRoutes
from dispatcher.dialects.jobs.job_routes import JobRoutes
from dispatcher.dialects.jobs.operations import ADMIN, EXECUTOR, JOBS, operations
from dispatcher.dialects.jobs.options import BASE, ORIGIN, JobsOptions
from dispatcher.dialects.openapi import openapi
from dispatcher.service.services import Services
from dispatcher.web.docs_page import docs_pages
from dispatcher.web.health import Health

_VERSION = "1"
_TAGS = {
    JOBS: "Hand in jobs, look at them, cancel those that wait.",
    EXECUTOR: "Claim jobs and say what became of them.",
    ADMIN: "The queue itself.",
}
_ABOUT = (
    "Clients hand in jobs: a binary's URL, its SHA-256, arguments, environment. Executors claim them, run the binary "
    f"and report. `{BASE}` may be left out of every path. Times are UTC, ISO 8601, whole seconds. A claimed job is its "
    "executor's for the lease (60 s unless set otherwise), and for as long again after each heartbeat."
)


def jobs_dialect(
    services: Services, gate: Gate, *, health: Health, options: JobsOptions | None = None, log: Any = None
) -> Dialect:
    """The job queue, to be mounted at `/jobs`, or at the root of a listener of its own."""
    options = options or JobsOptions()
    registry = operations(
        JobRoutes(services, options), ExecutorRoutes(services, options), AdminRoutes(services, health), options
    )
    pages: dict[str, ASGIApp] = {}
    if options.docs:
        document = openapi(
            registry, title="Job queue", version=_VERSION, description=_ABOUT, tags=_TAGS, error=ErrorAnswer
        )
        pages = docs_pages(document, BASE)
    return Dialect(ORIGIN, f"/{ORIGIN}", registry, render=render, gate=gate, pages=pages, base=BASE, log=log)
