"""What stands on a page to be run is run, on the gateway that `make dev` starts, and does what the page says."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, blocks
from tests.support.program import Program

pytestmark = pytest.mark.e2e
DEV = "http://127.0.0.1:8787"
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"


class Reader:
    """Somebody who follows a page in the directory of a gateway, with a token of a role."""

    def __init__(self, directory: Path, url: str) -> None:
        self.directory = directory
        self.url = url
        clean = {name: value for name, value in os.environ.items() if not name.startswith("DISPATCHER_")}
        self.environ = {**clean, "PATH": PATH, "DISPATCHER_URL": url, "PYTHONPATH": f"{ROOT}:{ROOT / 'sdk'}"}

    def signs_in(self, role: str) -> None:
        token = self.bash(f"dispatcher token --sub reader --role {role}")
        self.environ["DISPATCHER_TOKEN"] = token.strip()

    def starts(self, command: str) -> "subprocess.Popen[bytes]":
        """What stays in a terminal of its own."""
        begun = ["bash", "-euo", "pipefail", "-c", command]
        return subprocess.Popen(begun, cwd=self.directory, env=self.environ, start_new_session=True)

    def bash(self, command: str) -> str:
        ours = command.replace(".venv/bin/", "").replace(DEV, self.url)
        return self._run("bash", "-euo", "pipefail", "-c", ours)

    def python(self, program: str) -> str:
        return self._run(sys.executable, "-c", program)

    def _run(self, *command: str) -> str:
        done = subprocess.run(
            command, cwd=self.directory, env=self.environ, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"{command[-1]}\n{done.stdout}{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    directory = tmp_path_factory.mktemp("reader")
    gateway = Program(directory, "dev", "--port", "0", DISPATCHER_LIMITS__ENABLED="false")
    try:
        url = gateway.until(r"API +(http://\S+)")[1]
        gateway.until("^curl")
        yield Reader(directory, url)
    finally:
        gateway.end()


def test_the_first_task(reader: Reader) -> None:
    page = "docs/tutorial/first-task.md"
    start, sign_in, create, ask = blocks(page, "bash")
    assert start == "make dev\n"
    reader.environ["DISPATCHER_TOKEN"] = reader.bash(f"{sign_in}\necho $DISPATCHER_TOKEN").splitlines()[-1]
    assert reader.url in reader.bash(sign_in)
    created = json.loads(reader.bash(f"{create.rstrip()} -sS"))
    (shown,) = blocks(page, "json")
    assert json.loads(shown).keys() <= created.keys()
    ended = json.loads(reader.bash(ask.replace("task_...", created["id"]).replace("curl ", "curl -sS ")))
    assert ended["status"] == "COMPLETED"
    run, where = blocks(page, "python")
    assert reader.python(run)
    lines = reader.python(where).splitlines()
    assert "round-robin" in lines[0]
    assert len(lines) > 30


def test_the_operators_page(reader: Reader) -> None:
    page = "docs/how-to/operate.md"
    reader.signs_in("admin")
    see, maintain = blocks(page, "python")
    assert len(re.findall(r"^demo-gpu-\d .+ online$", reader.python(see), re.MULTILINE)) == 3
    assert reader.python(maintain) == "maintenance\n"
    export, switch, tick = blocks(page, "bash")
    assert "--role admin" in export
    assert json.loads(reader.bash(switch))["algorithm"] == "least-connections"
    assert "least-connections" in reader.python(see)
    assert json.loads(reader.bash(tick)).keys() == {"handled", "probed", "started", "more"}


def test_health_as_the_production_page_asks_for_it(reader: Reader) -> None:
    (health,) = [block for block in blocks("docs/how-to/run-in-production.md", "bash") if "health" in block]
    answer = json.loads(reader.bash(health))
    assert answer["status"] == "ok"
    assert answer["durability"]["appendfsync"] == "always"


def test_the_farms_page(reader: Reader) -> None:
    _, work, create, look = blocks("docs/how-to/train-on-a-farm.md", "bash")
    worker = reader.starts(work.replace("ws://127.0.0.1:8787", reader.url.replace("http", "ws")))
    try:
        task = json.loads(reader.bash(create))
        given = f"{_exports(create)}\n{look.replace('TASK=...', 'TASK=' + task['id'])}"
        answers = reader.bash(given)
        seen, paused, running = answers.replace("}{", "}\n{").splitlines()
        assert json.loads(seen).keys() >= {"progress", "metrics", "resources", "timestamp"}
        assert json.loads(paused)["status"] == "paused"
        assert json.loads(running)["status"] in ("pending", "running")
        show = "\n".join(given.splitlines()[:4])  # the exports, the id, and its metrics
        deadline = time.monotonic() + 30
        while not json.loads(reader.bash(show))["progress"]:
            assert time.monotonic() < deadline, "no progress"
    finally:
        os.killpg(worker.pid, signal.SIGTERM)
        assert worker.wait(20) == 0


def _exports(block: str) -> str:
    return "\n".join(line for line in block.splitlines() if line.startswith("export"))
