"""All dialects behind one ASGI application."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

import structlog
from starlette.routing import Mount, Router
from starlette.types import ASGIApp

from dispatcher.domain.clock import Clock
from dispatcher.web.access_log import AccessLog
from dispatcher.web.request_id import RequestId, new_request_id


def gateway(
    mounts: Mapping[str, ASGIApp],
    *,
    clock: Clock,
    lifespan: Callable[[Any], AbstractAsyncContextManager[Any]] | None = None,
    log: Any = None,
    make_request_id: Callable[[], str] = new_request_id,
) -> ASGIApp:
    """One application from dialects by prefix (`""` is the root, `"/farm"` another).

    Adds request ids and the access log (`log=None`: the structlog logger `dispatcher.access`). `lifespan` runs around
    the life of the server process.
    """
    # the longest prefix first; the root takes what is left, odd paths included that no mount would match
    routes = [Mount(prefix, app=mounts[prefix]) for prefix in sorted(mounts, key=len, reverse=True) if prefix]
    router = Router(routes, redirect_slashes=False, default=mounts.get(""), lifespan=lifespan)
    return RequestId(AccessLog(router, log or structlog.get_logger("dispatcher.access"), clock), make_request_id)
