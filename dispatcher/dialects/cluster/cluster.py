"""The Cluster Manager dialect, put together."""

import asyncio
from typing import Any

from starlette.types import ASGIApp

from dispatcher.dialects.cluster.aliases import Aliased
from dispatcher.dialects.cluster.broadcast import Broadcast
from dispatcher.dialects.cluster.cluster_routes import ClusterRoutes
from dispatcher.dialects.cluster.errors import render
from dispatcher.dialects.cluster.estimates import Estimates
from dispatcher.dialects.cluster.fleet import Fleet
from dispatcher.dialects.cluster.model_routes import ModelRoutes
from dispatcher.dialects.cluster.operations import operations
from dispatcher.dialects.cluster.options import ORIGIN, ClusterOptions
from dispatcher.dialects.cluster.socket import EventSocket, SocketLimits
from dispatcher.dialects.cluster.task_routes import TaskRoutes
from dispatcher.dialects.cluster.worker_routes import WorkerRoutes
from dispatcher.dialects.dialect import Dialect
from dispatcher.dialects.gate import Gate
from dispatcher.domain.clock import Clock
from dispatcher.service.retry import Sleep
from dispatcher.service.services import Services
from dispatcher.web.health import Health


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
    fleet, estimates = Fleet(services), Estimates(services, clock, options.kind)
    registry = operations(
        ClusterRoutes(services, fleet, health, clock, options),
        WorkerRoutes(services, fleet, estimates, clock),
        TaskRoutes(services, estimates, options),
        ModelRoutes(services, fleet),
        options,
    )
    broadcast = Broadcast(services, fleet, clock, options, pause=pause, log=log)
    socket = EventSocket(services, gate, clock, broadcast, options, limits=socket_limits, pause=pause, log=log)
    return ClusterDialect(ORIGIN, f"/{ORIGIN}", registry, render=render, gate=gate, sockets={"/ws": socket}, log=log)
