"""Who an executor is: a worker of the core, known by what it calls itself. Pure."""

from dispatcher.dialects.jobs.options import KIND, ORIGIN, JobsOptions
from dispatcher.domain.errors import Forbidden
from dispatcher.domain.ids import worker_id
from dispatcher.domain.lane import Offer
from dispatcher.domain.principal import Principal
from dispatcher.domain.server import MAX_CONCURRENT, Endpoints, NewServer, Transport
from dispatcher.web.answer import encode_json


def identify(principal: Principal, executor_id: str) -> str:
    """The core id of the executor that the caller says it is.

    Raises Forbidden when its token is bound to another one.
    """
    own = worker_id("executor_", principal.realm, ORIGIN, executor_id)
    if not principal.may_be(f"{ORIGIN}:{executor_id}", own):
        raise Forbidden("The token belongs to another executor", field="executor_id")
    return own


def new_executor(server_id: str, executor_id: str, options: JobsOptions, *, only: str) -> NewServer:
    """`only` is the open door that it came through, empty where it brought a token."""
    return NewServer(
        id=server_id,
        origin=ORIGIN,
        name=executor_id,
        endpoints=Endpoints(),
        offer=Offer(kinds=frozenset({KIND}), only=only),
        max_concurrent=MAX_CONCURRENT,
        transport=Transport.PULL,
        silence_ms=options.lease_ms,
        forget_ms=options.forget_ms,
    )


def note(executor_id: str, executor_ip: str | None) -> str:
    """What is kept with each attempt."""
    return encode_json({"executor_id": executor_id, "executor_ip": executor_ip}).decode()
