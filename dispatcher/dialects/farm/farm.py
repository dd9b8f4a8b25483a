"""The AI Farm dialect, put together."""

from typing import Any

from starlette.types import ASGIApp

from dispatcher.dialects.dialect import Dialect
from dispatcher.dialects.farm.answers import ErrorAnswer
from dispatcher.dialects.farm.client_routes import ClientRoutes
from dispatcher.dialects.farm.errors import render, word_of
from dispatcher.dialects.farm.operations import CLIENT, METRICS, TASKS, operations
from dispatcher.dialects.farm.options import ORIGIN, VERSION, FarmOptions
from dispatcher.dialects.farm.socket import FarmSocket, SocketLimits
from dispatcher.dialects.farm.task_routes import TaskRoutes
from dispatcher.dialects.farm.versioned import Versioned
from dispatcher.dialects.gate import Gate
from dispatcher.dialects.openapi import openapi
from dispatcher.domain.clock import Clock
from dispatcher.service.services import Services
from dispatcher.web.docs_page import docs_pages

_TAGS = {
    TASKS: "Hand in training tasks, look at them, steer and remove them.",
    CLIENT: "The machines that train.",
    METRICS: "Figures of the farm and of its tasks.",
}
_ABOUT = (
    "Users hand in training tasks here; clients, the machines that train, fetch them over a WebSocket at `/` or `/ws`, "
    "opened with the headers `Authorization: Bearer <token>` and `Client-ID`. A client sends `task_request`, "
    "`heartbeat` {system_info, resources}, `task_progress` {task_id, progress, metrics, checkpoint_path} and "
    "`task_result` {task_id, status: completed, failed or stopped, metrics, checkpoint_path, error}, each with `type`, "
    "`client_id` and `timestamp`; it is sent `task` {data: id, type, config, requirements}, `control` {action: pause, "
    "resume or stop, task_id}, `task_result_ack` {task_id, received, reason} and `error` {data: code, message, "
    "details}. Times are UTC, ISO 8601, whole seconds; memory is in MB of 2^20 bytes, progress and usage in percent. "
    "`/v1/...` and `/api/v1/...` are `/api/...`."
)


class FarmDialect(Dialect):
    """A dialect whose every answer names its version."""

    def mount(self) -> ASGIApp:
        return Versioned(super().mount(), self.refusal, self.discard)


def farm_dialect(
    services: Services,
    gate: Gate,
    clock: Clock,
    *,
    options: FarmOptions | None = None,
    socket_limits: SocketLimits | None = None,
    log: Any = None,
) -> Dialect:
    """The farm, to be mounted at `/farm`, or at the root of a listener of its own."""
    options = options or FarmOptions()
    registry = operations(TaskRoutes(services, options), ClientRoutes(services, clock, options))
    socket = FarmSocket(services, gate, clock, options, socket_limits, log)
    pages: dict[str, ASGIApp] = {}
    if options.docs:
        pages = docs_pages(
            openapi(
                registry,
                title="AI Farm",
                version=VERSION,
                description=_ABOUT,
                tags=_TAGS,
                error=ErrorAnswer,
                word_of=word_of,
            )
        )
    sockets: dict[str, ASGIApp] = {"/": socket, "/ws": socket}
    return FarmDialect(ORIGIN, f"/{ORIGIN}", registry, render=render, gate=gate, pages=pages, sockets=sockets, log=log)
