"""Who a client is: a worker of the core, known by its Client-ID; what it offers, and what is kept of its heartbeats.
Pure."""

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from dispatcher.dialects.farm.messages import ClientResources, SystemInfo
from dispatcher.dialects.farm.options import KIND, MB, ORIGIN, FarmOptions
from dispatcher.domain.errors import Invalid
from dispatcher.domain.ids import WORKER_NAME, is_worker_name, worker_id
from dispatcher.domain.lane import Offer
from dispatcher.domain.principal import Principal
from dispatcher.domain.resources import Resources
from dispatcher.domain.server import Endpoints, NewServer, Server, Transport
from dispatcher.domain.telemetry import read_metrics
from dispatcher.web.answer import encode_json

IDLE = SystemInfo()
LEAST = Resources(cpu=1, memory=MB)  # what every client has


def client_id(given: list[str]) -> str:
    """The one Client-ID. Raises Invalid."""
    if len(given) != 1 or not is_worker_name(given[0]):
        raise Invalid(f"The header Client-ID must name the client: {WORKER_NAME}", field="Client-ID")
    return given[0]


def core_id(realm: str, name: str) -> str:
    return worker_id("client_", realm, ORIGIN, name)


def is_of(server: Server, caller: Principal) -> bool:
    """True for a client that signed in with a token of this caller's tenant, or came through the same open door."""
    return server.origin == ORIGIN and server.id == core_id(caller.realm, server.name)


def new_client(server_id: str, name: str, options: FarmOptions, *, only: str) -> NewServer:
    """`only` is the open door that it came through, empty where it brought a token."""
    return NewServer(
        id=server_id,
        origin=ORIGIN,
        name=name,
        endpoints=Endpoints(),
        offer=offer_of(None, options, only),
        max_concurrent=1,
        transport=Transport.SOCKET,
        silence_ms=options.lease_ms,
        forget_ms=options.forget_ms,
    )


def offer_of(resources: ClientResources | None, options: FarmOptions, only: str) -> Offer:
    """What a client offers. One that reported no resources is given any task, or only the least ones."""
    if resources is None:
        return Offer(kinds=frozenset({KIND}), resources=LEAST if options.strict_resources else None, only=only)
    total = Resources(
        cpu=resources.cpu.cores,
        memory=resources.ram.total * MB,
        gpu=len(resources.gpu),
        # a task is told to be given so much of one GPU
        gpu_memory=max((gpu.memory.total for gpu in resources.gpu), default=0) * MB,
    )
    return Offer(kinds=frozenset({KIND}), resources=total, only=only)


@dataclass(frozen=True, slots=True)
class Known:
    """What the last heartbeats told of a client, and the address it connects from."""

    system_info: SystemInfo = IDLE
    resources: ClientResources | None = None
    address: str = ""

    def to_json(self) -> str:
        kept: dict[str, Any] = {"system_info": self.system_info.model_dump(), "address": self.address}
        if self.resources is not None:
            kept["resources"] = self.resources.model_dump()
        return encode_json(kept).decode()


def known_of(server: Server) -> Known:
    """Nothing, where a heartbeat in another API's form came last."""
    kept = read_metrics(server.metrics)
    try:
        resources = kept.get("resources")
        return Known(
            SystemInfo.model_validate(kept["system_info"]),
            None if resources is None else ClientResources.model_validate(resources),
            str(kept["address"]),
        )
    except (KeyError, ValidationError):
        return Known()
