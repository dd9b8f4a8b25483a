"""The CloudAI dialect, put together."""

from typing import Any

from starlette.types import ASGIApp

from dispatcher.dialects.cloudai.errors import render
from dispatcher.dialects.cloudai.file_routes import FileRoutes
from dispatcher.dialects.cloudai.log_socket import LogSocket
from dispatcher.dialects.cloudai.operations import operations
from dispatcher.dialects.cloudai.options import ORIGIN, CloudAIOptions
from dispatcher.dialects.cloudai.sockets import SocketLimits
from dispatcher.dialects.cloudai.task_routes import TaskRoutes
from dispatcher.dialects.cloudai.telemetry_socket import TelemetrySocket
from dispatcher.dialects.cloudai.worker_routes import IssueServerToken, WorkerRoutes
from dispatcher.dialects.dialect import Dialect
from dispatcher.dialects.gate import Gate
from dispatcher.domain.clock import Clock
from dispatcher.service.services import Services
from dispatcher.web.health import Health


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
    open_door = gate.anonymous is not None
    limits = socket_limits or SocketLimits()
    registry = operations(
        TaskRoutes(services, clock, options or CloudAIOptions(), open_door=open_door),
        WorkerRoutes(services, clock, health, issue_server_token=issue_server_token),
        FileRoutes(services, open_door=open_door),
    )
    telemetry = TelemetrySocket(services, gate, clock, limits)
    sockets: dict[str, ASGIApp] = {
        "/ws/telemetry": telemetry,
        "/ws/telemetry/{id}": telemetry,
        "/ws/tasks/{id}/logs": LogSocket(services, gate, clock, limits),
    }
    return Dialect(ORIGIN, f"/{ORIGIN}", registry, render=render, gate=gate, sockets=sockets, log=log)
