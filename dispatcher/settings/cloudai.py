"""The section of CloudAI, and the variables that its document names."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from dispatcher.settings.problems import SettingsError
from dispatcher.settings.sections import Section
from dispatcher.settings.values import setting

HTTP_PORT, FILES_DIR = "HTTP_PORT", "CLOUDAI_FILES_DIR"
MEANINGLESS = ("GRPC_PORT", "MONGODB_URI", "MONGODB_DATABASE")


class CloudAI(Section):
    """CloudAI under /cloudai."""

    auth: Literal["required", "none"] = setting("required", "as [jobs] auth")
    files_directory: str = setting(
        "", "where files of its tasks are, as [files] directory; empty: there. CLOUDAI_FILES_DIR sets it too"
    )
    requests: int = setting(0, "calls per minute and principal that the next one does not count; 0: no limit", ge=0)
    submits: int = setting(0, "submits and retries", ge=0)


def documented(environ: Mapping[str, str], listeners: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """What the document's variables set, as (variable, tables to merge): HTTP_PORT the port of the listener that has
    CloudAI, if there is one; CLOUDAI_FILES_DIR the place of its files. Raises SettingsError."""
    if environ.get(FILES_DIR):
        yield FILES_DIR, {"cloudai": {"files_directory": environ[FILES_DIR]}}
    if environ.get(HTTP_PORT) and _serves(listeners):
        place = _place(environ[HTTP_PORT])
        yield HTTP_PORT, {"listeners": [{**one, **place} if _is_cloudai(one) else one for one in listeners]}


def ignored(environ: Mapping[str, str], listeners: Any) -> list[str]:
    """A notice for each variable of the document that means nothing here."""
    unserved = [HTTP_PORT] if environ.get(HTTP_PORT) and not _serves(listeners) else []
    return [f"{name} is ignored: no [[listeners]] has the dialect cloudai" for name in unserved] + [
        f"{name} is ignored: workers come over a WebSocket, and state is in Redis"
        for name in MEANINGLESS
        if name in environ
    ]


def _is_cloudai(listener: Any) -> bool:
    return isinstance(listener, dict) and listener.get("dialect") == "cloudai"


def _serves(listeners: Any) -> bool:
    return isinstance(listeners, list) and any(map(_is_cloudai, listeners))


def _place(text: str) -> dict[str, Any]:
    """Port, and host where it is named, of `:8080`, `8080` or `host:8080`."""
    found = re.fullmatch(r"(?:\[?([0-9A-Za-z_.:-]*?)\]?:)?([0-9]{1,5})", text.strip())
    if found is None:
        raise SettingsError([f"{HTTP_PORT}: must be a port, like :8080, 8080 or host:8080"])
    return {"port": int(found[2])} | ({"host": found[1]} if found[1] else {})
