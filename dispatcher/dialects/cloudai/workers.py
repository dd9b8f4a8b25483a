"""Who a worker is: a server of the core, known in its tenant by the name that it was registered under. One that was
registered through an open door has its name among those. Pure."""

import re
from collections.abc import Mapping
from ipaddress import AddressValueError, IPv6Address

from dispatcher.dialects.cloudai.options import KIND, ORIGIN
from dispatcher.dialects.cloudai.requests import RegisterWorker
from dispatcher.domain.errors import Invalid
from dispatcher.domain.ids import worker_id
from dispatcher.domain.lane import Offer
from dispatcher.domain.principal import Principal
from dispatcher.domain.resources import NOTHING
from dispatcher.domain.server import MAX_CONCURRENT, Endpoints, NewServer, Server, Transport

_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]{1,253})(?::([0-9]{1,5}))?")


def core_id(realm: str, name: str) -> str:
    return worker_id("worker_", realm, ORIGIN, name)


def shown_name(server: Server, caller: Principal) -> str:
    """What a server is called towards a caller: the name of one of its tenant's workers, or of its open door's; else
    the core id."""
    return server.name if server.id == core_id(caller.realm, server.name) else server.id


def name_of(server_id: str | None, known: Mapping[str, Server], caller: Principal) -> str:
    """The same for the id of a server; the id itself where it is registered no more, nothing without one."""
    if server_id is None:
        return ""
    return shown_name(known[server_id], caller) if server_id in known else server_id


def new_worker(body: RegisterWorker, caller: Principal) -> NewServer:
    """A worker of which nothing is known yet: it has no resources, so no task fits, until its agent tells of them.
    Raises Invalid."""
    return NewServer(
        id=core_id(caller.realm, body.worker_id),
        origin=ORIGIN,
        name=body.worker_id,
        endpoints=Endpoints(),
        offer=Offer(kinds=frozenset({KIND}), resources=NOTHING, only=caller.door),
        max_concurrent=MAX_CONCURRENT,
        transport=Transport.SOCKET,
        address=address(body.worker_ip, body.worker_port),
    )


def address(host: str, port: int | None) -> str:
    """`host:port`, an IPv6 host in brackets; the port from either place. Raises Invalid."""
    found = _ADDRESS.fullmatch(host)
    if found is None or not _is_host(found[1]):
        raise Invalid("Invalid field worker_ip: must be host:port, an IPv6 host in brackets", field="worker_ip")
    if found[2] is None and port is None:
        raise Invalid("Missing required field: worker_port", field="worker_port")
    field = "worker_port" if found[2] is None else "worker_ip"
    number = int(found[2]) if found[2] is not None else port or 0
    if not 1 <= number <= 65_535 or (port is not None and port != number):
        raise Invalid(f"Invalid field {field}: the port must be one number from 1 to 65535", field=field)
    return f"{found[1]}:{number}"


def _is_host(text: str) -> bool:
    if not text.startswith("["):
        return True
    try:
        IPv6Address(text[1:-1])
    except AddressValueError:
        return False
    return True
