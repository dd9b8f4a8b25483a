"""The AI Farm dialect, put together."""

from typing import Any

from starlette.types import ASGIApp

from dispatcher.dialects.dialect import Dialect
from dispatcher.dialects.farm.client_routes import ClientRoutes
from dispatcher.dialects.farm.errors import render
from dispatcher.dialects.farm.operations import operations
from dispatcher.dialects.farm.options import ORIGIN, FarmOptions
from dispatcher.dialects.farm.socket import FarmSocket, SocketLimits
from dispatcher.dialects.farm.task_routes import TaskRoutes
from dispatcher.dialects.farm.versioned import Versioned
from dispatcher.dialects.gate import Gate
from dispatcher.domain.clock import Clock
from dispatcher.service.services import Services


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
    return FarmDialect(
        ORIGIN, f"/{ORIGIN}", registry, render=render, gate=gate, sockets={"/": socket, "/ws": socket}, log=log
    )
