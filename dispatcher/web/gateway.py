"""All dialects behind one ASGI application."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

import structlog
from starlette.routing import Mount, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from dispatcher.domain.clock import Clock
from dispatcher.web.access_log import AccessLog
from dispatcher.web.request_id import RequestId, new_request_id


class _WholePrefix:
    """`/farm` is `/farm/`: a mount takes only what goes on after its prefix."""

    def __init__(self, app: ASGIApp, prefixes: frozenset[str]) -> None:
        self._app = app
        self._prefixes = prefixes - {""}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path") in self._prefixes:
            scope = {**scope, "path": scope["path"] + "/"}
        await self._app(scope, receive, send)


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
    root = Router(routes, redirect_slashes=False, default=mounts.get(""), lifespan=lifespan)
    router = _WholePrefix(root, frozenset(mounts))
    return RequestId(AccessLog(router, log or structlog.get_logger("dispatcher.access"), clock), make_request_id)
