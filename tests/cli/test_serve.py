"""`dispatcher serve`: what it refuses, and a gateway that serves and stops."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from redis.asyncio import Redis

from dispatcher.settings import CONFIG_FILE
from dispatcher.store.engine import open_engine
from tests.cli.conftest import Invoke
from tests.support.program import SECRET, Program

REDIS = "redis://127.0.0.1:1"


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        ({"DISPATCHER_JWT_SECRET": SECRET}, "DISPATCHER_REDIS_URL (or DISPATCHER_REDIS_URL_FILE) is not set"),
        ({"DISPATCHER_REDIS_URL": REDIS}, "DISPATCHER_JWT_SECRET (or DISPATCHER_JWT_SECRET_FILE) is not set"),
        ({"DISPATCHER_REDIS_URL": REDIS, "DISPATCHER_JWT_SECRET": "short"}, "needs at least 32 bytes"),
        (
            {"DISPATCHER_REDIS_URL": REDIS, "DISPATCHER_JWT_SECRET": "your-secret-key-change-me-in-production"},
            "known to everybody",
        ),
        ({"DISPATCHER_REDIS_URL": "http://x", "DISPATCHER_JWT_SECRET": SECRET}, "DISPATCHER_REDIS_URL: not a redis://"),
    ],
)
def test_what_is_missing_or_weak_is_one_line_and_exit_code_2(
    invoke: Invoke, environ: dict[str, str], problem: str
) -> None:
    result = invoke("serve", **environ)
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert problem in result.stderr
    assert SECRET not in result.stderr


EVERYWHERE = {"DISPATCHER_REDIS_URL": REDIS, "DISPATCHER_JWT_SECRET": SECRET, "DISPATCHER_SERVER__HOST": "0.0.0.0"}  # noqa: S104


def test_production_on_all_addresses_wants_the_one_that_servers_report_to(invoke: Invoke, here: Path) -> None:
    """Else every answer of a server that accepted a task goes to that server's own machine."""
    (here / CONFIG_FILE).write_text("[env.production.server]\nport = 1\n")
    refused = invoke("serve", "--env", "production", **EVERYWHERE)
    assert (refused.exit_code, len(refused.stderr.splitlines())) == (2, 1)
    assert "dispatcher: server.public_url: needed with server.host 0.0.0.0" in refused.stderr
    told = invoke("serve", "--env", "production", **EVERYWHERE, DISPATCHER_SERVER__PUBLIC_URL="http://gw:8787")
    assert (told.exit_code, "public_url" in told.stderr) == (1, False), "it goes on to the store"


@pytest.mark.parametrize(("env", "code"), [("production", 1), ("", 0)])
def test_the_same_holds_under_any_other_asgi_server(here: Path, env: str, code: int) -> None:
    environ = {**os.environ, **EVERYWHERE, "DISPATCHER_ENV": env}
    done = subprocess.run([sys.executable, "-c", "import dispatcher.asgi"], env=environ, capture_output=True, text=True)
    assert done.returncode == code
    assert "server.public_url: needed with server.host 0.0.0.0" in done.stderr


def test_elsewhere_it_is_a_warning(invoke: Invoke) -> None:
    result = invoke("serve", **EVERYWHERE)
    assert "dispatcher: warning: server.public_url: needed with server.host 0.0.0.0" in result.stderr
    assert "DISPATCHER_REDIS_URL: The store cannot be reached" in result.stderr


def test_a_store_out_of_reach_is_told(invoke: Invoke) -> None:
    result = invoke("serve", DISPATCHER_REDIS_URL=REDIS, DISPATCHER_JWT_SECRET=SECRET)
    assert (result.exit_code, result.stderr) == (1, "dispatcher: DISPATCHER_REDIS_URL: The store cannot be reached\n")


@pytest.fixture
async def redis_url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    async with open_engine(tmp_path_factory.mktemp("state"), ["wheel"]) as engine:
        yield engine.url


async def _configure(url: str, **values: str) -> None:
    async with Redis.from_url(url) as client:
        for name, value in values.items():
            await client.config_set(name.replace("_", "-"), value)


@pytest.mark.e2e
async def test_gateways_on_one_redis_share_its_state_and_stop_on_sigterm(
    redis_url: str, start: Callable[..., Program], invoke: Invoke
) -> None:
    environ = {"DISPATCHER_REDIS_URL": redis_url, "DISPATCHER_JWT_SECRET": SECRET}
    gateways = [start("serve", "--port", "0", **environ) for _ in range(2)]
    urls = [gateway.until(r"listening on (http://\S+)")[1] for gateway in gateways]
    token = invoke("token", "--sub", "ann", "--role", "client", **environ).stdout.strip()
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}) as client:
        created = await client.post(f"{urls[0]}/api/task", json={"type": "t", "priority": 1, "payload": {}})
        assert created.status_code == 200
        seen = await client.get(f"{urls[1]}/api/task/{created.json()['id']}")
        assert seen.json()["status"] == "PENDING"
        assert (await client.get(f"{urls[1]}/ready")).status_code == 200
    assert [gateway.stop(signal.SIGTERM) for gateway in gateways] == [0, 0]


@pytest.mark.e2e
async def test_production_requires_a_durable_store(redis_url: str, start: Callable[..., Program], here: Path) -> None:
    environ = {"DISPATCHER_REDIS_URL": redis_url, "DISPATCHER_JWT_SECRET": SECRET}
    serve = ("serve", "--env", "production", "--host", "127.0.0.1", "--port", "0")
    good = start(*serve, **environ)
    good.until("listening on")
    assert good.stop(signal.SIGTERM) == 0

    await _configure(redis_url, appendfsync="everysec", maxmemory_policy="allkeys-lru")
    refused = start(*serve, **environ)
    assert refused.process.wait(15) == 2
    said = refused.out.read()
    assert "appendfsync everysec" in said
    assert "noeviction" in said

    asserted = start(*serve, **environ, DISPATCHER_STORE__DURABILITY_ASSERTED="true")
    asserted.until("listening on")
    assert asserted.stop(signal.SIGTERM) == 0

    outside = start("serve", "--port", "0", **environ)
    outside.until("dispatcher: warning: the store has appendfsync everysec")
    outside.until("listening on")


@pytest.mark.e2e
async def test_a_port_in_use_is_named(redis_url: str, start: Callable[..., Program]) -> None:
    environ = {"DISPATCHER_REDIS_URL": redis_url, "DISPATCHER_JWT_SECRET": SECRET}
    first = start("serve", "--port", "0", **environ)
    port = first.until(r"listening on http://127\.0\.0\.1:(\d+)")[1]
    second = start("serve", "--port", port, **environ)
    second.until(rf"dispatcher: cannot listen on 127\.0\.0\.1:{port}: Address already in use")
    assert second.process.wait(15) == 1


@pytest.mark.e2e
@pytest.mark.parametrize("engine", ["hypercorn", "granian"])
async def test_the_gateway_runs_on_both_servers(redis_url: str, start: Callable[..., Program], engine: str) -> None:
    environ = {"DISPATCHER_REDIS_URL": redis_url, "DISPATCHER_JWT_SECRET": SECRET, "DISPATCHER_SERVER__ENGINE": engine}
    gateway = start("serve", "--port", "0", **environ)
    url = gateway.until(r"listening on (http://\S+)")[1]
    async with httpx.AsyncClient() as client:
        health = await client.get(f"{url}/health")
        assert health.json()["status"] == "ok"
        assert (await client.get(f"{url}/nowhere")).json()["code"] == "NOT_FOUND"
    assert gateway.stop(signal.SIGTERM) == 0


@pytest.mark.e2e
async def test_any_asgi_server_can_serve_the_app(redis_url: str, here: Path) -> None:
    code = (
        "from dispatcher.asgi import app\n"
        "from starlette.testclient import TestClient\n"
        "with TestClient(app) as client:\n"
        "    print(client.get('/ready').json())\n"
    )
    environ = {**os.environ, "DISPATCHER_REDIS_URL": redis_url, "DISPATCHER_JWT_SECRET": SECRET}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True)
    assert done.stdout == "{'ready': True}\n", done.stderr


@pytest.mark.e2e
async def test_a_body_in_broken_chunks_is_refused_in_the_documented_form(
    redis_url: str, start: Callable[..., Program], invoke: Invoke
) -> None:
    """On granian; Hypercorn answers a bare 400 by itself."""
    environ = {
        "DISPATCHER_REDIS_URL": redis_url, "DISPATCHER_JWT_SECRET": SECRET, "DISPATCHER_SERVER__ENGINE": "granian",
    }  # fmt: skip
    gateway = start("serve", "--port", "0", **environ)
    port = int(gateway.until(r"listening on http://127\.0\.0\.1:(\d+)")[1])
    token = invoke("token", "--sub", "ann", "--role", "client", **environ).stdout.strip()
    head = f"POST /api/task HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head.encode() + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(4096), 10)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 400 ")
    error = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert (error["code"], error["details"]) == ("INVALID_REQUEST", "The request body broke off")
    gateway.until(error["requestId"])
    assert gateway.stop(signal.SIGTERM) == 0


@pytest.mark.e2e
@pytest.mark.parametrize("asgi_server", ["hypercorn", "granian"])
async def test_it_stops_cleanly_while_the_store_is_away(
    tmp_path_factory: pytest.TempPathFactory, start: Callable[..., Program], asgi_server: str
) -> None:
    async with open_engine(tmp_path_factory.mktemp("state"), ["wheel"]) as engine:
        gateway = start(
            "serve", "--port", "0", DISPATCHER_REDIS_URL=engine.url, DISPATCHER_JWT_SECRET=SECRET,
            DISPATCHER_SERVER__ENGINE=asgi_server,
        )  # fmt: skip
        gateway.until("listening on")
    gateway.until("loop presence fails")
    assert gateway.stop(signal.SIGTERM) == 0
    assert gateway.seen.count("stopped without telling the other gateways") == 1
    assert "Traceback" not in gateway.seen
    assert "Unclosed" not in gateway.seen


@pytest.mark.parametrize(("granian", "said"), [("True", "told\n"), ("False", "told\ntorn down\n")])
def test_after_granian_the_interpreter_is_not_torn_down(granian: str, said: str) -> None:
    """Its threads may still ask for the interpreter, which aborts the process."""
    code = (
        "import atexit, sys\n"
        "from dispatcher.cli import commands\n"
        f"if {granian}: sys.modules['granian'] = sys\n"
        "atexit.register(print, 'torn down')\n"
        "def told():\n    print('told')\n    raise SystemExit(3)\n"
        "commands.app = told\n"
        "commands.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (3, said, "")
