"""Refusing a WebSocket before it is one."""

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

_EXTENSION = "websocket.http.response"


async def answer_handshake(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a handshake with an HTTP response; with 403 and no body where the server knows no other answer."""
    if _EXTENSION in (scope.get("extensions") or {}):
        await response(scope, receive, send)
    else:
        await send({"type": "websocket.close", "code": 1008, "reason": ""})
