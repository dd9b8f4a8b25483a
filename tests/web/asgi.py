"""Scopes and channels to drive an ASGI application by hand."""

from collections.abc import Sequence

from starlette.types import Message, Receive, Scope


def http_scope(path: str = "/", headers: Sequence[tuple[str, str]] = (), query: str = "", method: str = "GET") -> Scope:
    return {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
    }


def body_of(*chunks: bytes) -> Receive:
    """A receive channel that brings these chunks, then the disconnect."""
    messages: list[Message] = [
        {"type": "http.request", "body": chunk, "more_body": n < len(chunks)} for n, chunk in enumerate(chunks, 1)
    ]

    async def receive() -> Message:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    return receive
