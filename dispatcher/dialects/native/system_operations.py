"""The registry of what the gateway says of itself."""

from typing_extensions import TypedDict

from dispatcher.dialects.native.system_routes import SystemRoutes
from dispatcher.dialects.operation import ADMINS, PUBLIC, Example, Operation, Parameter
from dispatcher.domain import errors as e
from dispatcher.web.health import HealthReport
from dispatcher.web.rates import Rate

TAG = "System"
_BUDGET = Parameter(
    "budget_ms", "query", {"type": "integer", "minimum": 1, "maximum": 10_000, "default": 200}, "How long to go on"
)


class Ready(TypedDict):
    ready: bool


class Alive(TypedDict):
    alive: bool


class Ticked(TypedDict):
    handled: int
    probed: int
    started: int
    more: bool


_HEALTH = {
    "status": "ok",
    "store": "ok",
    "durability": {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"},
    "version": "0.1.0",
    "gateway": "gw_abc",
    "draining": False,
}


def system_operations(routes: SystemRoutes) -> list[Operation]:
    return [
        Operation(
            "health", "GET", "/health", TAG, "Health", PUBLIC, Rate.NONE, routes.health,
            answer=HealthReport, also=(503,), example=Example(_HEALTH),
        ),
        Operation(
            "ready", "GET", "/ready", TAG, "Ready for traffic", PUBLIC, Rate.NONE, routes.ready,
            answer=Ready, also=(503,), example=Example({"ready": True}),
        ),
        Operation(
            "alive", "GET", "/livez", TAG, "The process answers", PUBLIC, Rate.NONE, routes.alive,
            answer=Alive, example=Example({"alive": True}),
        ),
        Operation(
            "tick", "POST", "/internal/tick", TAG, "Run the background duties once", ADMINS, Rate.DEFAULT, routes.tick,
            answer=Ticked, parameters=(_BUDGET,), errors=(e.Invalid, e.Forbidden),
            example=Example({"handled": 0, "probed": 0, "started": 0, "more": False}),
        ),
    ]  # fmt: skip
