"""The Cluster Manager dialect, put together."""

import asyncio
from typing import Any

from starlette.types import ASGIApp

from dispatcher.dialects.cluster.aliases import Aliased
from dispatcher.dialects.cluster.answers import ErrorAnswer
from dispatcher.dialects.cluster.broadcast import Broadcast
from dispatcher.dialects.cluster.cluster_routes import ClusterRoutes
from dispatcher.dialects.cluster.errors import render
from dispatcher.dialects.cluster.estimates import Estimates
from dispatcher.dialects.cluster.fleet import Fleet
from dispatcher.dialects.cluster.model_routes import ModelRoutes
from dispatcher.dialects.cluster.operations import CLUSTER, MODELS, STATUS, TASKS, WORKERS, operations
from dispatcher.dialects.cluster.options import ORIGIN, VERSION, ClusterOptions
from dispatcher.dialects.cluster.socket import EventSocket, SocketLimits
from dispatcher.dialects.cluster.task_routes import TaskRoutes
from dispatcher.dialects.cluster.worker_routes import WorkerRoutes
from dispatcher.dialects.dialect import Dialect
from dispatcher.dialects.gate import Gate
from dispatcher.dialects.openapi import openapi
from dispatcher.domain.clock import Clock
from dispatcher.service.retry import Sleep
from dispatcher.service.services import Services
from dispatcher.web.docs_page import docs_pages
from dispatcher.web.health import Health

_TAGS = {
    STATUS: "Is it there, and how is it?",
    WORKERS: "The servers of the fleet, and their machines.",
    TASKS: "Hand in tasks for models, look at them, cancel them.",
    MODELS: "Which models are in the memory of which workers.",
    CLUSTER: "Even the cluster out, and see its figures.",
}
_ABOUT = (
    "Users hand in tasks for models here; operators see the workers, place models on them, and even them out. The key "
    "comes as `Authorization: Bearer <api_key>`. Events come over a WebSocket at `/ws`, {event, timestamp, data} each: "
    "`worker_status_changed` {worker_id, old_status, new_status, reason}, `task_completed` and `task_failed` {task_id, "
    "worker_id, duration, success, error}, `cluster_rebalance_started` {rebalance_id, strategy, affected_workers}, "
    "`model_loaded` {model_name, worker_id, load_time, memory_usage}, `gpu_alert` {worker_id, type, value, threshold, "
    "gpu}. Times are UTC, ISO 8601, whole seconds; durations and sizes are texts like `2.3s`, `7d 4h 23m`, `6.5GB` (of "
    "2^30 bytes); `timeout` is in seconds."
)


class ClusterDialect(Dialect):
    """A dialect with shorter paths beside the documented ones."""

    def mount(self) -> ASGIApp:
        return Aliased(super().mount(), f"/{ORIGIN}")


def cluster_dialect(
    services: Services,
    gate: Gate,
    clock: Clock,
    *,
    health: Health,
    options: ClusterOptions | None = None,
    socket_limits: SocketLimits | None = None,
    pause: Sleep = asyncio.sleep,
    log: Any = None,
) -> Dialect:
    """The cluster, to be mounted at `/cluster`, or at the root of a listener of its own. `pause` waits
    between two looks at the fleet."""
    options = options or ClusterOptions()
    fleet, estimates = Fleet(services), Estimates(services, clock)
    registry = operations(
        ClusterRoutes(services, fleet, health, clock, options),
        WorkerRoutes(services, fleet, estimates, clock),
        TaskRoutes(services, estimates, options),
        ModelRoutes(services, fleet),
        options,
    )
    pages: dict[str, ASGIApp] = {}
    if options.docs:
        pages = docs_pages(
            openapi(
                registry, title="Cluster Manager", version=VERSION, description=_ABOUT, tags=_TAGS, error=ErrorAnswer
            )
        )
    broadcast = Broadcast(services, fleet, clock, options, pause=pause, log=log)
    socket = EventSocket(services, gate, clock, broadcast, options, limits=socket_limits, pause=pause, log=log)
    return ClusterDialect(
        ORIGIN, f"/{ORIGIN}", registry, render=render, gate=gate, pages=pages, sockets={"/ws": socket}, log=log
    )
