"""A registered server (worker). Its shown status is derived, never stored. Times are epoch milliseconds."""

from dataclasses import dataclass, field
from enum import StrEnum

from dispatcher.domain.lane import Offer
from dispatcher.domain.resources import NOTHING, Resources

MAX_CONCURRENT = 256


class ServerHealth(StrEnum):
    """What the server says of itself."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


class ServerStatus(StrEnum):
    ONLINE = "online"
    OFFLINE = "offline"
    MAINTENANCE = "maintenance"
    DEGRADED = "degraded"


class Transport(StrEnum):
    """How work reaches a server. The queue, its order, slots, leases and fences are the same for all three."""

    PUSH = "push"  # a gateway calls endpoints.predict
    PULL = "pull"  # the worker claims over HTTP
    SOCKET = "socket"  # the worker asks over its WebSocket; the gateway that holds it claims


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Absolute http(s) URLs. A pushed server needs `predict`; a worker that fetches has none."""

    predict: str = ""
    health: str | None = None
    metrics: str | None = None
    cancel: str | None = None


@dataclass(frozen=True, slots=True)
class NewServer:
    """A server as an admin registers it. `sealed_key` is its API key, encrypted; empty when it has none."""

    id: str
    origin: str
    name: str
    endpoints: Endpoints
    offer: Offer
    sealed_key: bytes = field(default=b"", repr=False)
    max_concurrent: int = 10
    weight: int = 1
    transport: Transport = Transport.PUSH
    silence_ms: int = 0  # offline after so long without a sign of life; 0 = as configured
    forget_ms: int = 0  # unregistered after being offline for so long; 0 = never
    address: str = ""  # where it says that it is, for people: nothing is ever sent there


@dataclass(frozen=True, slots=True)
class Server:
    """A server as the store knows it."""

    id: str
    seq: int  # registration sequence: the stable order of round-robin
    origin: str
    name: str
    endpoints: Endpoints
    offer: Offer
    registered_ms: int
    last_seen_ms: int  # last heartbeat; registration counts as one
    sealed_key: bytes = field(default=b"", repr=False)
    max_concurrent: int = 10
    weight: int = 1
    transport: Transport = Transport.PUSH
    health: ServerHealth = ServerHealth.HEALTHY
    online: bool = True
    maintenance: bool = False
    reason: str = ""
    ejected_until_ms: int = 0
    rest_until_ms: int = 0  # said busy
    probation: bool = False  # one task at a time until one succeeds
    active: int = 0  # slots held: our leases on it
    allocated: Resources = NOTHING  # what running attempts and loaded models take of the offer's resources
    models: frozenset[str] = frozenset()  # in its memory
    reported_active: int | None = None
    latency_ms: float | None = None  # smoothed service time
    metrics: str = "{}"  # JSON object of the last heartbeat
    boot_id: str = ""
    session: str = ""  # of its open socket
    gateway: str = ""  # that holds the socket
    address: str = ""
    left: bool = False  # it is offline because it said that it leaves

    @property
    def status(self) -> ServerStatus:
        if self.maintenance:
            return ServerStatus.MAINTENANCE
        if not self.online:
            return ServerStatus.OFFLINE
        return ServerStatus.ONLINE if self.health is ServerHealth.HEALTHY else ServerStatus.DEGRADED

    @property
    def came(self) -> bool:
        """A worker that opens the connection itself has done so, or was heard of otherwise, since it was registered."""
        told = self.session or self.boot_id or self.last_seen_ms > self.registered_ms
        return self.transport is not Transport.SOCKET or bool(told)

    @property
    def eligible(self) -> bool:
        """May be pushed new work, as far as the cached record knows; the claim decides."""
        pushed = self.transport is Transport.PUSH
        return pushed and self.online and not self.maintenance and not self.ejected_until_ms

    @property
    def takes_commands(self) -> bool:
        """It keeps a control channel while it is connected. The clients of the farm are told of their tasks alone."""
        return self.transport is Transport.SOCKET and self.origin != "farm"

    @property
    def load(self) -> float:
        """Running attempts as a share of the slots, 0..1 (above 1 after a lowered maximum)."""
        return self.active / self.max_concurrent
