"""The API's version: in every answer, checked where a request names it, and part of the path for those who put it
there."""

from collections.abc import Awaitable, Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dispatcher.dialects.farm.options import BASE, VERSION
from dispatcher.domain.errors import DispatchError, Invalid
from dispatcher.web.body import Inbound
from dispatcher.web.denial import answer_handshake

HEADER = "X-API-Version"
_STARTS = ("http.response.start", "websocket.accept", "websocket.http.response.start")

Refusal = Callable[[DispatchError, Scope], Response]
Discard = Callable[[Inbound], Awaitable[None]]  # take in what is left of a request that was refused


class Versioned:
    """`/v1/...` and `/api/v1/...` are `/api/...`."""

    def __init__(self, app: ASGIApp, refusal: Refusal, discard: Discard) -> None:
        self._app = app
        self._refusal = refusal
        self._discard = discard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return

        async def versioned(message: Message) -> None:
            if message["type"] in _STARTS:
                message.setdefault("headers", [])
                MutableHeaders(scope=message)[HEADER] = VERSION
            await send(message)

        given = Headers(scope=scope).getlist(HEADER)
        if given in ([], ["1"], [VERSION]):
            await self._app(_unaliased(scope), receive, versioned)
            return
        response = self._refusal(Invalid(f"This API has the version {VERSION} only", field=HEADER), scope)
        if scope["type"] == "websocket":
            await answer_handshake(response, scope, receive, versioned)
        else:
            await self._discard(Inbound(scope, receive))
            await response(scope, receive, versioned)


def _unaliased(scope: Scope) -> Scope:
    root: str = scope.get("root_path", "")
    rest: str = scope["path"].removeprefix(root)
    for alias in ("/v1/", f"{BASE}/v1/"):
        if rest.startswith(alias):
            return {**scope, "path": f"{root}{BASE}/{rest.removeprefix(alias)}"}
    return scope
