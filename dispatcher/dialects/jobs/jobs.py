"""The job queue dialect, put together."""

from typing import Any

from dispatcher.dialects.dialect import Dialect
from dispatcher.dialects.gate import Gate
from dispatcher.dialects.jobs.admin_routes import AdminRoutes
from dispatcher.dialects.jobs.errors import render
from dispatcher.dialects.jobs.executor_routes import ExecutorRoutes
from dispatcher.dialects.jobs.job_routes import JobRoutes
from dispatcher.dialects.jobs.operations import operations
from dispatcher.dialects.jobs.options import BASE, ORIGIN, JobsOptions
from dispatcher.service.services import Services
from dispatcher.web.health import Health


def jobs_dialect(
    services: Services, gate: Gate, *, health: Health, options: JobsOptions | None = None, log: Any = None
) -> Dialect:
    """The job queue, to be mounted at `/jobs`, or at the root of a listener of its own."""
    options = options or JobsOptions()
    registry = operations(
        JobRoutes(services, options), ExecutorRoutes(services, options), AdminRoutes(services, health), options
    )
    return Dialect(ORIGIN, f"/{ORIGIN}", registry, render=render, gate=gate, base=BASE, log=log)
