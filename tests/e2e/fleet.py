"""Real processes on loopback: gateways on one Redis, and fake GPU servers."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dispatcher.auth.keys import SecretKeys
from dispatcher.auth.tokens import Tokens
from tests.e2e import fake_servers
from tests.support.redis_server import binaries, running

ROOT = Path(__file__).parents[2]
SECRET = "t5Rk8wQ2nX7bV4mZ1cJ9sL6pD3hF0gYa"
NAMESPACE = "main"
START_S = 30.0


def token(sub: str, role: str = "client", tenant: str = "default") -> str:
    return Tokens(SecretKeys([SECRET])).issue(sub, [role], 3600, tenant)


def environment(**more: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("DISPATCHER_")}
    return {**clean, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'sdk'}", "DISPATCHER_JWT_SECRET": SECRET, **more}


class GatewayProcess:
    """`dispatcher serve` on a free port; what it says goes to a file."""

    def __init__(self, redis_url: str, directory: Path, **environ: str) -> None:
        self._log = directory / f"gateway-{len(list(directory.iterdir()))}.log"
        settings = {"DISPATCHER_LIMITS__ENABLED": "false", "DISPATCHER_LOG__LEVEL": "warning"} | environ
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "dispatcher", "serve", "--port", "0"],
                cwd=directory,
                env=environment(DISPATCHER_REDIS_URL=redis_url, **settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.url = ""

    def said(self) -> str:
        return self._log.read_text(errors="replace")

    def until_ready(self) -> None:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self.process.poll() is None:
            if found := re.search(r"listening on (http://\S+)", self.said()):
                self.url = found[1]
                return
            time.sleep(0.02)  # a real process: nothing to wait on but its words
        raise AssertionError(f"the gateway did not start:\n{self.said()}")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def terminate(self, patience_s: float = 20) -> int:
        """SIGTERM; answers the exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(patience_s)
        finally:
            self.kill()


@dataclass
class Fleet:
    """One Redis, gateways on it, and the URLs of GPU servers that nobody has registered yet."""

    redis_url: str
    directory: Path
    server_urls: list[str]
    gateways: list[GatewayProcess] = field(default_factory=list)
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def urls(self) -> list[str]:
        return [gateway.url for gateway in self.gateways]

    @contextlib.contextmanager
    def more_gateways(self, count: int = 1) -> Iterator[list[GatewayProcess]]:
        """Gateways beside the others, ended afterwards if they still run."""
        more = [GatewayProcess(self.redis_url, self.directory, **self.environ) for _ in range(count)]
        try:
            for gateway in more:
                gateway.until_ready()
            yield more
        finally:
            for gateway in more:
                gateway.kill()


@contextlib.contextmanager
def running_fleet(directory: Path, *, gateways: int, servers: int, **environ: str) -> Iterator[Fleet]:
    """A fleet of its own. Ends gateways with SIGTERM and fails when one of them had an error."""
    with running(next(iter(binaries().values()))) as redis_url, _fake_servers(servers) as urls:
        fleet = Fleet(redis_url, directory, urls, environ=environ)
        with fleet.more_gateways(gateways) as running_gateways:
            fleet.gateways = running_gateways
            yield fleet
            for gateway in running_gateways:
                if gateway.process.poll() is None:
                    assert gateway.terminate() == 0
                assert "Traceback" not in gateway.said(), gateway.said()
                assert "background work failed" not in gateway.said(), gateway.said()


@contextlib.contextmanager
def _fake_servers(count: int) -> Iterator[list[str]]:
    command = [sys.executable, fake_servers.__file__, str(count)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield [f"http://127.0.0.1:{port}" for port in json.loads(process.stdout.readline())]
    finally:
        process.kill()
        process.communicate()
