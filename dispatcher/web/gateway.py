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
    # the longest prefix first, so that the root does not swallow the others
    routes = [Mount(prefix, app=mounts[prefix]) for prefix in sorted(mounts, key=len, reverse=True)]
    router = Router(routes, redirect_slashes=False, lifespan=lifespan)
    return RequestId(AccessLog(router, log or structlog.get_logger("dispatcher.access"), clock), make_request_id)
