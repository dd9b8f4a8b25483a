"""A mounted API: its registry of operations, and how it says that something went wrong."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import structlog
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, Router, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dispatcher.dialects.call import Call, Stream
from dispatcher.dialects.gate import Gate
from dispatcher.dialects.operation import Operation
from dispatcher.domain.errors import DispatchError, MethodNotAllowed, NotFound, UpgradeRequired
from dispatcher.web.answer import json_response
from dispatcher.web.body import Inbound
from dispatcher.web.denial import answer_handshake
from dispatcher.web.errors import error_headers, internal_error, status_of
from dispatcher.web.rate_headers import rate_headers
from dispatcher.web.request_id import request_id_of
from dispatcher.web.stream import StreamedResponse

Render = Callable[[DispatchError, str], bytes]  # (error, request id) -> body in the dialect's form


class Dialect:
    """Routes and error form of one API.

    `pages` (static) and `sockets` stand beside the registry, by path. Where every path begins with `base`, clients may
    leave that out. Raises ValueError for an operation without an
    access policy, or two for one method and path.
    """

    def __init__(
        self,
        name: str,
        prefix: str,
        operations: Sequence[Operation],
        *,
        render: Render,
        gate: Gate,
        pages: Mapping[str, ASGIApp] | None = None,
        sockets: Mapping[str, ASGIApp] | None = None,
        base: str = "",
        log: Any = None,
    ) -> None:
        self.name = name
        self.prefix = prefix
        self.operations = tuple(operations)
        self._render = render
        self._gate = gate
        self._base = base
        self._log = log or structlog.get_logger("dispatcher.dialects")
        routes: list[BaseRoute] = [WebSocketRoute(path, socket) for path, socket in (sockets or {}).items()]
        routes += [Route(path, _Page(self, None)) for path in sockets or {}]
        routes += [Route(path, _Page(self, page)) for path, page in (pages or {}).items()]
        self._router = Router([*routes, *self._paths()], redirect_slashes=False, default=self._nowhere)

    def mount(self) -> ASGIApp:
        """The application to mount at `prefix`."""
        return _Based(self._router, self._base) if self._base else self._router

    def _paths(self) -> list[Route]:
        by_path: dict[str, dict[str, Operation]] = {}
        for operation in self.operations:
            if not operation.access.is_policy:
                raise ValueError(f"{operation.id} has no access policy")
            methods = by_path.setdefault(operation.path, {})
            if operation.method in methods:
                raise ValueError(f"{operation.method} {operation.path} is there twice")
            methods[operation.method] = operation
        fixed_first = sorted(by_path, key=lambda path: "{" in path)
        return [Route(path, _Path(self, by_path[path])) for path in fixed_first]

    async def _nowhere(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = self.refusal(NotFound(f"No such path: {scope['path'][:256]}"), scope)
        if scope["type"] == "websocket":
            await answer_handshake(response, scope, receive, send)
        else:
            await response(scope, receive, send)

    def refusal(self, error: DispatchError, scope: Scope, headers: dict[str, str] | None = None) -> Response:
        """The answer that tells of an error."""
        body = self._render(error, request_id_of(scope))
        return json_response(body, status_of(error), {**(headers or {}), **error_headers(error)})

    async def perform(self, operation: Operation, scope: Scope, receive: Receive) -> ASGIApp:
        """Identify, allow, count, handle; errors are answered in the dialect's form. Raises ClientDisconnect."""
        call: Call | None = None
        try:
            call = await self._gate.identify(self.name, operation, scope, receive)
            if call.principal is not None:
                operation.access.check(call.principal, call.path_id)
            if not operation.counts_itself:
                await self._gate.count(call)
            answer = await operation.handler(call)
            headers = {**rate_headers(answer.rate or call.rate), **answer.headers}
            if isinstance(answer, Stream):
                return StreamedResponse(answer.chunks, answer.status, headers, stall_s=answer.stall_s)
            return json_response(answer.body, answer.status, headers)
        except DispatchError as error:
            return await self._refuse(call, error, scope)
        except ClientDisconnect:
            raise
        except Exception:  # noqa: BLE001 - logged; the caller learns nothing of it
            self._log.exception("unexpected", operation=operation.id, request_id=request_id_of(scope))
            return await self._refuse(call, internal_error(), scope)

    async def discard(self, inbound: Inbound) -> None:
        """Take in what is left of a request that was answered before all of it had come."""
        await inbound.discard(self._gate.limits)

    async def _refuse(self, call: Call | None, error: DispatchError, scope: Scope) -> Response:
        """A refused call of a known caller counts like any other, and its answer carries the headers of its rule."""
        if call is None:
            return self.refusal(error, scope)
        call.rate = call.rate or error.rate
        try:
            await self._gate.count(call)
        except DispatchError as uncounted:
            error = uncounted
        return self.refusal(error, scope, rate_headers(call.rate))


class _Based:
    """Puts the common beginning of all paths before one that lacks it."""

    def __init__(self, app: ASGIApp, base: str) -> None:
        self._app = app
        self._base = base

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            root: str = scope.get("root_path", "")
            rest: str = scope["path"].removeprefix(root)
            if rest != self._base and not rest.startswith(self._base + "/"):
                scope = {**scope, "path": f"{root}{self._base}{rest}"}
        await self._app(scope, receive, send)


class _Path:
    """The operations of one path by method."""

    def __init__(self, dialect: Dialect, methods: dict[str, Operation]) -> None:
        self._dialect = dialect
        self._methods = methods

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"]
        operation = self._methods.get("GET" if method == "HEAD" else method)
        if operation is None:
            response: ASGIApp = self._dialect.refusal(_not_allowed(method, self._methods), scope)
        else:
            inbound = Inbound(scope, receive)
            try:
                response = await self._dialect.perform(operation, scope, inbound)
            except ClientDisconnect:
                return
            await self._dialect.discard(inbound)
        with suppress(OSError):  # ASGI: what sending to a caller who went away may raise
            await response(scope, receive, _without_body(send) if method == "HEAD" else send)


class _Page:
    """A static page; None where only a WebSocket is spoken."""

    def __init__(self, dialect: Dialect, page: ASGIApp | None) -> None:
        self._dialect = dialect
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"]
        if method not in ("GET", "HEAD"):
            response: ASGIApp = self._dialect.refusal(_not_allowed(method, ["GET"]), scope)
        else:
            response = self._page or self._dialect.refusal(UpgradeRequired("A WebSocket is spoken here"), scope)
        await response(scope, receive, _without_body(send) if method == "HEAD" else send)


def _not_allowed(method: str, allowed: Iterable[str]) -> MethodNotAllowed:
    allow = {*allowed, "HEAD"} if "GET" in allowed else set(allowed)
    return MethodNotAllowed(f"{method[:16]} is not allowed here", tuple(sorted(allow)))


def _without_body(send: Send) -> Send:
    async def headers_only(message: Message) -> None:
        await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

    return headers_only
