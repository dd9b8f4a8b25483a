"""One id per request, in the answer, in the logs and in every error."""

import re
import secrets
from collections.abc import Callable

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "X-Request-Id"
_SANE = re.compile(r"[A-Za-z0-9._-]{1,128}")


def new_request_id() -> str:
    return "req_" + secrets.token_hex(12)


class RequestId:
    """Takes the caller's `X-Request-Id` when it is 1..128 of [A-Za-z0-9._-], else makes one; echoes it.

    It lands in `scope["state"]["request_id"]`.
    """

    def __init__(self, app: ASGIApp, make: Callable[[], str] = new_request_id) -> None:
        self._app = app
        self._make = make

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        given = [v.decode("latin-1") for k, v in scope["headers"] if k == b"x-request-id"]
        sane = len(given) == 1 and _SANE.fullmatch(given[0]) is not None
        request_id = given[0] if sane else self._make()
        scope = {**scope, "state": {**scope.get("state", {}), "request_id": request_id}}

        async def tagged(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.accept", "websocket.http.response.start"):
                message.setdefault("headers", [])
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        await self._app(scope, receive, tagged)


def request_id_of(scope: Scope) -> str:
    """The id of this request; empty outside of `RequestId`."""
    found: str = scope.get("state", {}).get("request_id", "")
    return found
