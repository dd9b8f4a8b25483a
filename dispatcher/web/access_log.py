"""One line per request. Never a body, a query or a token."""

from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dispatcher.domain.clock import Clock
from dispatcher.web.request_id import request_id_of


class AccessLog:
    """Logs method, path, status, duration, request id and caller after each request or socket.

    `log` is a structlog logger (or anything with `info(event, **fields)`).
    """

    def __init__(self, app: ASGIApp, log: Any, clock: Clock) -> None:
        self._app = app
        self._log = log
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        status = 0
        sent = 0

        async def watched(message: Message) -> None:
            nonlocal status, sent
            match message["type"]:
                case "http.response.start" | "websocket.http.response.start":
                    status = message["status"]
                case "http.response.body" | "websocket.http.response.body":
                    sent += len(message.get("body", b""))
                case "websocket.accept":
                    status = 101
                case "websocket.close":
                    status = message.get("code", 1000)
            await send(message)

        started = self._clock.monotonic()
        try:
            await self._app(scope, receive, watched)
        finally:
            self._write(scope, status, sent, self._clock.monotonic() - started)

    def _write(self, scope: Scope, status: int, sent: int, seconds: float) -> None:
        principal = scope.get("state", {}).get("principal")
        client = scope.get("client")
        self._log.info(
            "request",
            method=one_line(scope.get("method", "WEBSOCKET"), 16),
            path=one_line(scope["path"], 512),
            status=status,
            bytes=sent,
            ms=round(seconds * 1000, 1),
            request_id=request_id_of(scope),
            caller=one_line(principal.rate_key, 128) if principal else None,
            client=client[0] if client else None,
        )


def one_line(text: str, most: int) -> str:
    """`text` without anything that could start a new line or drive a terminal, at most `most` characters."""
    return "".join(c if c.isprintable() else "?" for c in text[:most])
