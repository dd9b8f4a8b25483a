"""Who an executor is: a worker of the core, known by what it calls itself. Pure."""

import hashlib

from dispatcher.dialects.jobs.options import KIND, ORIGIN, JobsOptions
from dispatcher.domain.errors import Forbidden
from dispatcher.domain.lane import Offer
from dispatcher.domain.principal import Principal, Role
from dispatcher.domain.server import MAX_CONCURRENT, Endpoints, NewServer, Transport
from dispatcher.web.answer import encode_json


def core_id(tenant: str, executor_id: str) -> str:
    """The same for the same executor, over all gateways; those of two tenants never meet."""
    name = f"{tenant}\0{ORIGIN}\0{executor_id}"
    return "executor_" + hashlib.blake2b(name.encode(), digest_size=16).hexdigest()


def identify(principal: Principal, executor_id: str) -> str:
    """The core id of the executor that the caller says it is.

    Raises Forbidden when its token is bound to another one.
    """
    own = core_id(principal.owner.tenant, executor_id)
    bound = principal.server_id
    if Role.SERVER in principal.roles and bound is not None and bound not in (f"{ORIGIN}:{executor_id}", own):
        raise Forbidden("The token belongs to another executor", field="executor_id")
    return own


def new_executor(server_id: str, executor_id: str, options: JobsOptions) -> NewServer:
    return NewServer(
        id=server_id,
        origin=ORIGIN,
        name=executor_id,
        endpoints=Endpoints(),
        offer=Offer(kinds=frozenset({KIND})),
        max_concurrent=MAX_CONCURRENT,
        transport=Transport.PULL,
        silence_ms=options.lease_ms,
        forget_ms=options.forget_ms,
    )


def note(executor_id: str, executor_ip: str | None) -> str:
    """What is kept with each attempt."""
    return encode_json({"executor_id": executor_id, "executor_ip": executor_ip}).decode()
