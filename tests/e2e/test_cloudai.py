"""CloudAI on the port of its own, against a real gateway process and a real store."""

import asyncio
import http.client
import json
import re
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from dispatcher.store.engine import open_engine
from tests.cli.conftest import Invoke
from tests.e2e.documented_cloudai_client import CloudAI
from tests.support.program import SECRET, Program

pytestmark = pytest.mark.e2e

LISTENER = '[[listeners]]\ndialect = "cloudai"\nport = 8081\n'
DATA = bytes(range(256)) * 400
SHOWN = {
    "docker_image": "nginx:latest", "command": "", "storage_required": 5.0, "gpu_required": 0.0,
    "user_id": "admin", "tag": "web-server", "k_value": 1.8,
}  # fmt: skip


class Agent:
    """What a worker's agent says to the gateway."""

    def __init__(self, main: str, registered: dict[str, Any]) -> None:
        self._main = main
        self._headers = {"Authorization": f"Bearer {registered['server_token']}"}
        self._url = f"ws://{main}/api/servers/{registered['server_id']}/socket"
        self._life = ExitStack()
        self.socket: ClientConnection

    def __enter__(self) -> "Agent":
        self.socket = self._life.enter_context(connect(self._url, additional_headers=self._headers, proxy=None))
        assert self.hear()["type"] == "welcome"
        return self

    def __exit__(self, *_: object) -> None:
        self._life.close()

    def say(self, kind: str, **members: Any) -> None:
        self.socket.send(json.dumps({"type": kind, **members}))

    def hear(self) -> Any:
        return json.loads(self.socket.recv(timeout=10))

    def begin(self) -> None:
        resources = {"cpu": 8, "memoryMB": 16_384, "storageMB": 102_400, "gpu": 2}
        self.say("hello", kinds=["docker"], resources=resources, maxConcurrent=4)
        self.say("heartbeat", metrics={"cpu": 45.2, "memory": 60.5, "gpu": 20.0})
        assert self.hear()["type"] == "pong"

    def next_task(self) -> Any:
        self.say("ready")
        message = self.hear()
        assert message["type"] == "task", message
        return message["task"]

    def end(self, task: Any, status: str = "COMPLETED", **more: Any) -> None:
        self.say("result", taskId=task["taskId"], attempt=task["attempt"], status=status, **more)
        message = self.hear()
        assert (message["type"], message["accepted"]) == ("ack", True), message

    def log(self, task: Any, first: int, *lines: str) -> None:
        body = {"first": first, "lines": [{"text": line} for line in lines], "attempt": task["attempt"]}
        self._send("POST", f"/api/task/{task['taskId']}/logs", json.dumps(body).encode(), "application/json")

    def upload(self, task: Any, path: str, data: bytes) -> None:
        self._send("PUT", f"/api/task/{task['taskId']}/files/{path}", data, "text/plain")

    def _send(self, method: str, path: str, body: bytes, kind: str) -> None:
        connection = http.client.HTTPConnection(self._main, timeout=10)
        try:
            connection.request(method, path, body, {**self._headers, "Content-Type": kind})
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()
        finally:
            connection.close()


async def test_a_client_written_from_the_document_works_unchanged(
    start: Callable[..., Program], invoke: Invoke, tmp_path_factory: pytest.TempPathFactory, here: Path
) -> None:
    (here / "wrangler-like-config.toml").write_text(LISTENER)
    files = tmp_path_factory.mktemp("files")
    async with open_engine(tmp_path_factory.mktemp("state"), ["wheel"]) as engine:
        environ = {"DISPATCHER_REDIS_URL": engine.url, "DISPATCHER_JWT_SECRET": SECRET}
        documented = {"HTTP_PORT": ":0", "CLOUDAI_FILES_DIR": str(files)}
        program = start("serve", "--port", "0", DISPATCHER_SERVER__ENGINE="hypercorn", **environ, **documented)
        main, own = [
            (await asyncio.to_thread(program.until, r"listening on http://(127.0.0.1:\d+)"))[1] for _ in range(2)
        ]
        user = invoke("token", "--sub", "admin", "--role", "client", **environ).stdout.strip()
        root = invoke("token", "--sub", "root", "--role", "admin", **environ).stdout.strip()
        await asyncio.to_thread(_use, main, CloudAI(own, user), CloudAI(own, root))
        assert [path.read_bytes() for path in files.rglob("*") if path.is_file()] == [DATA]
        assert not (here / ".dispatcher").exists()
        with CloudAI(own, user).socket("/ws/telemetry") as socket:
            await asyncio.to_thread(socket.recv)
            assert await asyncio.to_thread(program.stop, signal.SIGTERM) == 0
            with pytest.raises(ConnectionClosed):
                socket.recv(timeout=10)
            assert socket.close_code == 1012


def _use(main: str, client: CloudAI, admin: CloudAI) -> None:
    assert client.get("/health") == {"status": "ok"}
    assert client.register("worker-1", "localhost:50052")[0] == 403
    status, registered = admin.register("worker-1", "localhost:50052")
    assert (status, registered["worker"]["is_active"]) == (201, False)
    task_id = client.submit(**SHOWN)
    with Agent(main, registered) as agent:
        agent.begin()
        _run(client, agent, agent.next_task(), task_id)
        _look(client, task_id)
        _steer(client, agent)


def _run(client: CloudAI, agent: Agent, task: Any, task_id: str) -> None:
    assert (task["taskId"], task["kind"]) == (task_id, "docker")
    assert task["payload"] == {"docker_image": "nginx:latest", "command": ""}
    assert task["resources"] == {"cpu": 1, "memoryMB": 2048, "storageMB": 5120}
    worker = client.workers()["worker-1"]
    assert (worker["is_active"], worker["address"], worker["running_tasks_count"]) == (True, "localhost:50052", 1)
    assert worker["available_resources"] == {"cpu": 7.0, "memory": 14.0, "storage": 95.0, "gpu": 2.0}
    assert client.listed("running") == [task_id]
    with client.socket("/ws/telemetry/worker-1") as socket:
        told = json.loads(socket.recv(timeout=10))["workers"]["worker-1"]
        assert (told["cpu_usage"], told["running_tasks"][0]["task_id"]) == (45.2, task_id)
    agent.log(task, 1, "Container started")
    messages = client.follow(task_id)
    first, line = next(messages), next(messages)
    assert (first["type"], first["user_id"], line["line"]) == ("connected", "admin", "Container started")
    agent.log(task, 2, "Running nginx", "Container stopped")
    assert [next(messages)["line"] for _ in range(2)] == ["Running nginx", "Container stopped"]
    agent.upload(task, "results/output.txt", DATA)
    agent.end(task)
    last = next(messages)
    assert (last["type"], last["status"]) == ("complete", "completed")
    assert next(messages) == {"type": "closed", "code": 1000}


def _look(client: CloudAI, task_id: str) -> None:
    done = client.task(task_id)
    assert done.items() >= {**SHOWN, "cpu_required": 1.0, "memory_required": 2.0, "status": "completed"}.items()
    assert 0 < done["submitted_at"] <= done["started_at"] <= done["completed_at"] <= time.time() + 1
    logs = client.get(f"/api/tasks/{task_id}/logs")
    assert logs["logs"] == "Container started\nRunning nginx\nContainer stopped\n"
    (file,) = client.get("/api/files?user_id=admin&requesting_user=admin")["files"]
    assert (file["task_id"], file["file_name"], file["file_size"]) == (task_id, "output.txt", len(DATA))
    (file,) = client.get(f"/api/files/{task_id}?user_id=admin")["files"]
    status, kind, data = client.fetch("GET", f"/api/files/{task_id}/download/{file['file_path']}?user_id=admin")
    assert (status, kind, data) == (200, "text/plain", DATA)


def _steer(client: CloudAI, agent: Agent) -> None:
    slow, urgent = client.submit(k_value="1.5"), client.submit(k_value="2.5")
    task = agent.next_task()
    assert task["taskId"] == urgent
    agent.end(task, "FAILED", error="Exit code 1")
    assert client.cancel(urgent)[0] == 400
    (status, first), (_, second) = client.retry(urgent), client.retry(urgent)
    assert (status, first) == (200, second)
    assert re.fullmatch(r"task-\d+", first["new_task_id"])
    again = agent.next_task()
    assert again["taskId"] == first["new_task_id"]
    assert client.cancel(again["taskId"])[0] == 200
    stop = agent.hear()
    assert (stop["type"], stop["action"], stop["taskId"]) == ("control", "stop", again["taskId"])
    assert client.cancel(slow)[0] == 200
    assert set(client.listed("cancelled")) == {slow, again["taskId"]}
    status, refused = client.ask("POST", "/api/tasks", {"docker_image": "nginx:latest"})
    assert (status, refused["error"]) == (400, "Missing required field: cpu_required")
    assert client.ask("PUT", "/api/tasks")[0] == 405
