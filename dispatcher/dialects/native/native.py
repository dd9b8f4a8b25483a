"""The native dialect, put together."""

from dataclasses import replace
from typing import Any

from starlette.types import ASGIApp

from dispatcher.dialects.dialect import Dialect
from dispatcher.dialects.gate import Gate, IssueServerToken
from dispatcher.dialects.native.claim_routes import ClaimRoutes
from dispatcher.dialects.native.errors import ErrorAnswer, render
from dispatcher.dialects.native.file_operations import TAG as FILES
from dispatcher.dialects.native.file_operations import file_operations
from dispatcher.dialects.native.file_routes import FileRoutes
from dispatcher.dialects.native.fleet_operations import TAG as FLEET
from dispatcher.dialects.native.fleet_operations import fleet_operations
from dispatcher.dialects.native.fleet_routes import FleetRoutes
from dispatcher.dialects.native.log_operations import TAG as LOGS
from dispatcher.dialects.native.log_operations import log_operations
from dispatcher.dialects.native.log_routes import LogRoutes
from dispatcher.dialects.native.log_socket import LOG_PATH, LogSocket
from dispatcher.dialects.native.options import ORIGIN, NativeOptions
from dispatcher.dialects.native.server_operations import TAG as SERVERS
from dispatcher.dialects.native.server_operations import server_operations
from dispatcher.dialects.native.server_routes import CheckUrl, SealKey, ServerRoutes
from dispatcher.dialects.native.socket import SocketLimits, TaskSocket
from dispatcher.dialects.native.socket_operations import socket_operations
from dispatcher.dialects.native.stats_operations import LOAD_BALANCER, STATISTICS, stats_operations
from dispatcher.dialects.native.stats_routes import StatsRoutes
from dispatcher.dialects.native.system_operations import TAG as SYSTEM
from dispatcher.dialects.native.system_operations import system_operations
from dispatcher.dialects.native.system_routes import SystemRoutes
from dispatcher.dialects.native.task_operations import TAG as TASKS
from dispatcher.dialects.native.task_operations import task_operations
from dispatcher.dialects.native.task_routes import TaskRoutes
from dispatcher.dialects.native.wire_claims import CallbackToken, GrantWire
from dispatcher.dialects.native.worker_socket import WORKER_PATH, WorkerSocket, WorkerSocketLimits
from dispatcher.dialects.openapi import openapi
from dispatcher.domain.clock import Clock
from dispatcher.service.duties import Duties
from dispatcher.service.services import Services
from dispatcher.web.docs_page import docs_pages
from dispatcher.web.health import Health

_TAGS = {
    TASKS: "Endpoints for managing task lifecycle.",
    SERVERS: "Endpoints for managing backend servers (Admin role required).",
    FLEET: "What servers tell of their load, the models in their memory, and operations on them.",
    STATISTICS: "Endpoints for retrieving system statistics.",
    LOAD_BALANCER: "Endpoints for managing load balancing.",
    LOGS: "What running tasks say: handed in by their workers, read and followed by their owners.",
    FILES: "What tasks leave behind: uploaded by their workers, downloaded by their owners.",
    SYSTEM: "The gateway itself.",
}
_ABOUT = (
    "Hand in tasks, watch them, and run the fleet of servers that does them. "
    "Times are epoch milliseconds. The messages of the WebSockets, `/ws`, `/api/servers/{id}/socket` and "
    "`/api/task/{id}/logs/socket`, stand with their paths. "
    "The other APIs of this gateway have documents of their own, at `openapi.json` beside each page: "
    "the job queue `/jobs/docs`, AI Farm `/farm/docs`, CloudAI `/cloudai/docs`, the cluster `/cluster/docs`."
)


def native_dialect(
    services: Services,
    gate: Gate,
    clock: Clock,
    *,
    duties: Duties,
    health: Health,
    check_url: CheckUrl,
    seal_key: SealKey,
    issue_server_token: IssueServerToken,
    callback_token: CallbackToken,
    public_url: str,
    version: str,
    options: NativeOptions | None = None,
    socket_limits: SocketLimits | None = None,
    worker_limits: WorkerSocketLimits | None = None,
    log: Any = None,
) -> Dialect:
    """The native API, to be mounted at the root."""
    options = options or NativeOptions()
    servers = ServerRoutes(
        services, clock, check_url=check_url, seal_key=seal_key, issue_server_token=issue_server_token
    )
    wire = GrantWire(public_url, callback_token)
    claims = ClaimRoutes(services, options, wire=wire)
    operations = [
        *task_operations(TaskRoutes(services, options)),
        *log_operations(LogRoutes(services, clock, options)),
        *file_operations(FileRoutes(services, options)),
        *server_operations(servers, claims),
        *fleet_operations(FleetRoutes(services)),
        *stats_operations(StatsRoutes(services, clock)),
        *system_operations(SystemRoutes(health, duties)),
    ]
    socket_limits = socket_limits or SocketLimits()
    worker_limits = replace(worker_limits or WorkerSocketLimits(), max_result=gate.results.max_bytes)
    workers = WorkerSocket(
        services,
        gate,
        clock,
        options=options,
        limits=worker_limits,
        wire=wire,
        issue_server_token=issue_server_token,
    )
    socket = TaskSocket(services, gate, clock, socket_limits)
    pages: dict[str, ASGIApp] = {}
    if options.docs:
        document = openapi(
            operations,
            title="Edge dispatcher",
            version=version,
            description=_ABOUT,
            tags=_TAGS,
            error=ErrorAnswer,
            sockets=socket_operations(socket_limits, worker_limits, options.stream_stall_ms),
        )
        pages = docs_pages(document)
    logs = LogSocket(services, gate, clock, socket_limits, stall_ms=options.stream_stall_ms)
    sockets: dict[str, ASGIApp] = {"/ws": socket, WORKER_PATH: workers, LOG_PATH: logs}
    return Dialect(ORIGIN, "", operations, render=render, gate=gate, pages=pages, sockets=sockets, log=log)
