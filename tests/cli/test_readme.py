"""The README's programs do what it says, on the gateway that `make dev` starts."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Invoke
from tests.support.program import ROOT, Program

README = (ROOT / "README.md").read_text()
BACKEND, CLIENT = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_the_backend_has_ten_lines_at_most() -> None:
    assert len([line for line in BACKEND.splitlines() if line.strip()]) <= 10


@pytest.mark.e2e
def test_backend_client_and_request_work(start: Callable[..., Program], invoke: Invoke, here: Path) -> None:
    gateway = start("dev", "--port", "0")
    url = gateway.until(r"API +(http://\S+)")[1]
    gateway.until("^curl")

    def environ(role: str) -> dict[str, str]:
        token = invoke("token", "--sub", "me", "--role", role).stdout.strip()
        paths = f"{ROOT}:{ROOT / 'sdk'}"
        return {**os.environ, "DISPATCHER_URL": url, "DISPATCHER_TOKEN": token, "PYTHONPATH": paths}

    backend = subprocess.Popen([sys.executable, "-c", BACKEND], env=environ("admin"), stderr=subprocess.DEVNULL)
    try:
        done = subprocess.run(
            [sys.executable, "-c", CLIENT], env=environ("client"), capture_output=True, text=True, timeout=30
        )
        assert done.stdout == "{'words': 6}\n", done.stderr
    finally:
        backend.send_signal(signal.SIGTERM)
        assert backend.wait(15) == 0

    (request,) = re.findall(r"^```bash\n[^`]*?^(curl [^`]*)^```$", README, re.MULTILINE)
    command = request.strip().replace("http://127.0.0.1:8787", url)
    answer = subprocess.run(["bash", "-c", f"{command} -sS"], env=environ("client"), capture_output=True, text=True)
    assert '"status":"COMPLETED"' in answer.stdout.replace(" ", "")
    assert gateway.stop(signal.SIGINT) == 0
