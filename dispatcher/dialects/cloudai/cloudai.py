"""The CloudAI dialect, put together."""

from typing import Any

from starlette.types import ASGIApp

from dispatcher.dialects.cloudai.answers import ErrorAnswer
from dispatcher.dialects.cloudai.errors import render
from dispatcher.dialects.cloudai.file_routes import FileRoutes
from dispatcher.dialects.cloudai.log_socket import LogSocket
from dispatcher.dialects.cloudai.operations import FILES, HEALTH, TASKS, WORKERS, operations
from dispatcher.dialects.cloudai.options import ORIGIN, CloudAIOptions
from dispatcher.dialects.cloudai.sockets import SocketLimits
from dispatcher.dialects.cloudai.task_routes import TaskRoutes
from dispatcher.dialects.cloudai.telemetry_socket import TelemetrySocket
from dispatcher.dialects.cloudai.worker_routes import WorkerRoutes
from dispatcher.dialects.dialect import Dialect
from dispatcher.dialects.gate import Gate, IssueServerToken
from dispatcher.dialects.openapi import openapi
from dispatcher.domain.clock import Clock
from dispatcher.service.services import Services
from dispatcher.web.docs_page import docs_pages
from dispatcher.web.health import Health

_VERSION = "1.0"
_TAGS = {
    HEALTH: "The API server, and how loaded the workers are.",
    WORKERS: "The machines, and what they have left.",
    TASKS: "Hand in containers, look at them, cancel and retry them, read what they say.",
    FILES: "What tasks leave behind.",
}
_ABOUT = (
    "Users hand in containers with the resources they need; so much is kept free on a worker while each runs. Times "
    "are epoch seconds, 0 while unset; memory and storage are in GB of 2^30 bytes, usage in percent. WebSockets, "
    "opened with the same token: `/ws/telemetry`, `/ws/telemetry/{worker_id}` send `{workers}` at once and every 5 s; "
    "`/ws/tasks/{task_id}/logs` sends `connected` {user_id, message}, `log` {line}, `complete` {status, message} and "
    "`error` {error}, each with `type` and `task_id`."
)


def cloudai_dialect(
    services: Services,
    gate: Gate,
    clock: Clock,
    *,
    health: Health,
    issue_server_token: IssueServerToken,
    options: CloudAIOptions | None = None,
    socket_limits: SocketLimits | None = None,
    log: Any = None,
) -> Dialect:
    """CloudAI, to be mounted at `/cloudai`, or at the root of a listener of its own."""
    options = options or CloudAIOptions()
    open_door = gate.anonymous is not None
    limits = socket_limits or SocketLimits()
    registry = operations(
        TaskRoutes(services, clock, options, open_door=open_door),
        WorkerRoutes(services, clock, health, issue_server_token=issue_server_token),
        FileRoutes(services, open_door=open_door),
    )
    telemetry = TelemetrySocket(services, gate, clock, limits)
    sockets: dict[str, ASGIApp] = {
        "/ws/telemetry": telemetry,
        "/ws/telemetry/{id}": telemetry,
        "/ws/tasks/{id}/logs": LogSocket(services, gate, clock, limits),
    }
    pages: dict[str, ASGIApp] = {}
    if options.docs:
        document = openapi(
            registry, title="CloudAI", version=_VERSION, description=_ABOUT, tags=_TAGS, error=ErrorAnswer
        )
        pages = docs_pages(document)
    return Dialect(ORIGIN, f"/{ORIGIN}", registry, render=render, gate=gate, pages=pages, sockets=sockets, log=log)
