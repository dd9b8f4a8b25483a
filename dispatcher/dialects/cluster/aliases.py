"""Shorter paths for clients that give the prefix as their base: `/cluster/status` for `/cluster/cluster/status`."""

from starlette.types import ASGIApp, Receive, Scope, Send

_SHORT = frozenset({"/status", "/metrics", "/rebalance"})


class Aliased:
    def __init__(self, app: ASGIApp, base: str) -> None:
        self._app = app
        self._base = base

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            root: str = scope.get("root_path", "")
            rest: str = scope["path"].removeprefix(root)
            if rest in _SHORT:
                scope = {**scope, "path": f"{root}{self._base}{rest}"}
        await self._app(scope, receive, send)
