"""The interactive API page: four static files and the document they show. Nothing is fetched from elsewhere."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from dispatcher.web.answer import encode_json

_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-cache",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_FILES = {
    "/docs": ("index.html", "text/html"),
    "/docs/docs.js": ("docs.js", "text/javascript"),
    "/docs/docs.css": ("docs.css", "text/css"),
    "/docs/icon.svg": ("icon.svg", "image/svg+xml"),
}


def docs_pages(document: Mapping[str, Any], base: str = "") -> dict[str, ASGIApp]:
    """`/openapi.json` and the page at `/docs`, by path below `base`; public, as a browser cannot send a token with a
    page load."""
    folder = files("dispatcher.web").joinpath("docs")
    pages: dict[str, ASGIApp] = {f"{base}/openapi.json": _Document(document)}
    for path, (name, media_type) in _FILES.items():
        pages[base + path] = Response(folder.joinpath(name).read_bytes(), headers=_HEADERS, media_type=media_type)
    return pages


class _Document:
    """The document as it is where it is mounted: its paths begin there."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        here = {**self._document, "servers": [{"url": scope.get("root_path") or "/"}]}
        await Response(encode_json(here), headers=_HEADERS, media_type="application/json")(scope, receive, send)
