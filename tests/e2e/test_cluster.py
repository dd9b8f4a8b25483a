"""The Cluster Manager on the port of its own, against a real gateway process, a real store and a GPU server."""

import asyncio
import contextlib
import http.server
import json
import re
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from dispatcher.store.engine import open_engine
from tests.cli.conftest import Invoke
from tests.e2e.documented_cluster_client import Cluster, Events
from tests.support.program import SECRET, Program

pytestmark = pytest.mark.e2e

CONFIG = '[cluster]\nid = "biting-lip-cluster"\nruns_on = "servers"\n\n[[listeners]]\ndialect = "cluster"\nport = 0\n'
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


class Generator(http.server.BaseHTTPRequestHandler):
    """A GPU server that repeats the prompt, and cannot do without one."""

    def do_POST(self) -> None:
        payload = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["payload"]
        prompt = payload["parameters"].get("prompt")
        answer = json.dumps({"generated_text": f"{payload['model']}: {prompt}", "tokens_generated": 2})
        self.send_response(200 if prompt else 422)
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Nobody reads it."""


@contextlib.contextmanager
def generator() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Generator)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/predict"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def test_a_client_written_from_the_document_works_unchanged(
    start: Callable[..., Program], invoke: Invoke, tmp_path_factory: pytest.TempPathFactory, here: Path
) -> None:
    (here / "wrangler-like-config.toml").write_text(CONFIG)
    async with open_engine(tmp_path_factory.mktemp("state"), ["wheel"]) as engine:
        environ = {"DISPATCHER_REDIS_URL": engine.url, "DISPATCHER_JWT_SECRET": SECRET}
        program = start("serve", "--port", "0", DISPATCHER_SERVER__ENGINE="hypercorn", **environ)
        urls = [(await asyncio.to_thread(program.until, r"listening on http://(127.0.0.1:\d+)"))[1] for _ in range(2)]

        def key(sub: str, role: str) -> str:
            made: str = invoke("apikey", "create", "--sub", sub, "--role", role, **environ).stdout.strip()
            return made

        def use() -> None:
            admin, user = key("ops", "admin"), key("ann", "client")
            token = invoke("token", "--sub", "ops", "--role", "admin", **environ).stdout.strip()
            with generator() as url:
                worker = _register(Cluster(urls[0], token), url)
                _use(urls[1], admin, user, worker)
            with Events(Cluster(urls[1], user)) as events:
                listed = invoke("apikey", "list", **environ).stdout
                assert user not in listed
                invoke("apikey", "revoke", user.split("_")[1], **environ)
                assert Cluster(urls[1], user).ask("GET", "/health")[0] == 401
                assert program.stop(signal.SIGTERM) == 0
                with pytest.raises(ConnectionClosed):
                    events.next("nothing")

        await asyncio.to_thread(use)


def _register(native: Cluster, url: str) -> str:
    body = {"name": "worker-001", "endpoints": {"predict": url}, "resources": {"gpuMemory": 24 * 2**30}}
    worker = str(native.post("/api/servers", body)["serverId"])
    gpu = {"model": "AMD Radeon RX 7900 XTX", "memory_total": 24 * 2**30, "memory_used": 8 * 2**30, "temperature": 65}
    native.post(f"/api/servers/{worker}/heartbeat", {"metrics": {"gpu": 75.5, "memory": 50, "gpus": [gpu]}})
    return worker


def _use(server: str, admin_key: str, user_key: str, worker: str) -> None:
    user, admin = Cluster(server, user_key), Cluster(server, admin_key)
    _refused(server)
    health = user.get("/health")
    assert (health["status"], health["version"]) == ("healthy", "1.0.0")
    assert re.fullmatch(TIME, health["timestamp"])
    assert int(user.answered["X-RateLimit-Limit"]) == 100
    with Events(user) as events:
        done = user.submit("Explain quantum computing")
        told = events.next("task_completed")
        assert (told["task_id"], told["worker_id"], told["success"]) == (done, worker, True)
        failed = user.submit("", priority="high")
        assert events.next("task_failed")["task_id"] == failed
        status, answer = admin.ask("GET", f"/tasks/{done}")
        assert (status, answer["result"]["generated_text"]) == (200, "llama-2-7b: Explain quantum computing")
        _look(user, done, failed, worker)
        _manage(user, admin, worker, failed)
        _crowd(user)


def _refused(server: str) -> None:
    for key in (None, "x", "edk_0123456789abcdef_" + "0" * 64):
        status, answer = Cluster(server, key).ask("GET", "/health")
        assert (status, answer["code"], answer["error"]) == (401, 401, "Unauthorized")
        with Events(Cluster(server, key)) as events:
            with pytest.raises(ConnectionClosed):
                events.socket.recv(timeout=10)
            assert events.socket.close_code == 1008


def _look(user: Cluster, done: str, failed: str, worker: str) -> None:
    task = user.get(f"/tasks/{done}")
    assert (task["status"], task["assigned_worker"]) == ("completed", worker)
    assert re.fullmatch(r"[0-9.]+s", task["duration"])
    listed = user.get(f"/tasks?status=completed&worker_id={worker}&limit=10&offset=0")
    assert [one["task_id"] for one in listed["tasks"]] == [done]
    assert (user.get("/tasks")["total"], user.get("/tasks?limit=1&offset=1")["tasks"][0]["task_id"]) == (2, done)
    status = user.get("/cluster/status")
    assert (status["cluster_id"], status["status"], status["active_workers"]) == (
        "biting-lip-cluster",
        "operational",
        1,
    )
    assert (status["total_memory"], status["available_memory"]) == ("24GB", "16GB")
    workers = user.get("/workers?status=online&gpu_type=radeon")
    assert (workers["total"], workers["workers"][0]["gpu_info"]["temperature"]) == (1, 65)
    assert user.get(f"/workers/{worker}")["task_history"]["completed_today"] == 1
    figures = user.get("/cluster/metrics?timeframe=1h")["metrics"]
    assert (figures["total_tasks"], figures["failed_tasks"], figures["success_rate"]) == (2, 1, 50)
    assert user.ask("DELETE", f"/tasks/{done}")[0] == 409
    assert user.ask("GET", "/tasks/task-12345")[0] == 404
    assert user.ask("POST", "/tasks", {"task_type": "x", "priority": "urgent"})[0] == 400


def _manage(user: Cluster, admin: Cluster, worker: str, task: str) -> None:
    model = {"model_name": "llama-2-7b", "worker_ids": [worker], "preload": True, "priority": "high"}
    for path, body in (("/models/assign", model), (f"/workers/{worker}/restart", None), ("/models/unload", model)):
        assert user.ask("POST", path, body)[0] == 403
    for path, body in (("/models/assign", model), (f"/workers/{worker}/restart", None)):
        status, answer = admin.ask("POST", path, body)
        assert (status, answer["reason"]) == (409, "NO_CONTROL_CHANNEL"), "it is a server that is called, not told"
    assert admin.get("/models/assignments") == {"assignments": []}
    plan = admin.post("/cluster/rebalance", {"strategy": "memory_optimized", "force": False, "dry_run": True})
    assert (plan["status"], plan["operations"]) == ("planned", [])
    assert Cluster(user.server, admin.headers["Authorization"].split()[1]).get(f"/tasks/{task}")["status"] == "failed"


def _crowd(user: Cluster) -> None:
    """One socket is open already."""
    with contextlib.ExitStack() as sockets:
        for _ in range(9):
            sockets.enter_context(Events(user))
        with pytest.raises(InvalidStatus) as refused:
            Events(user).__enter__()
        assert refused.value.response.status_code == 429
    with Events(user):
        pass
