"""The interactive API page: four static files and the document they show. Nothing is fetched from elsewhere."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from starlette.responses import Response

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


def docs_pages(document: Mapping[str, Any]) -> dict[str, Response]:
    """`/openapi.json` and the page at `/docs`, by path; public, as a browser cannot send a token with a page load."""
    folder = files("dispatcher.web").joinpath("docs")
    pages = {"/openapi.json": Response(encode_json(document), headers=_HEADERS, media_type="application/json")}
    for path, (name, media_type) in _FILES.items():
        pages[path] = Response(folder.joinpath(name).read_bytes(), headers=_HEADERS, media_type=media_type)
    return pages
