"""AI Farm on the port of its own, against a real gateway process and a real store."""

import asyncio
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from dispatcher.store.engine import open_engine
from tests.cli.conftest import Invoke
from tests.e2e.documented_farm_client import Client, Farm
from tests.support.program import SECRET, Program

pytestmark = pytest.mark.e2e

NAMES = ("client_1", "client_2")
LISTENERS = '[[listeners]]\ndialect = "farm"\nport = 0\n'


async def test_a_client_written_from_the_document_works_unchanged(
    start: Callable[..., Program], invoke: Invoke, tmp_path_factory: pytest.TempPathFactory, here: Path
) -> None:
    (here / "wrangler-like-config.toml").write_text(LISTENERS)
    async with open_engine(tmp_path_factory.mktemp("state"), ["wheel"]) as engine:
        environ = {"DISPATCHER_REDIS_URL": engine.url, "DISPATCHER_JWT_SECRET": SECRET}
        program = start("serve", "--port", "0", DISPATCHER_SERVER__ENGINE="hypercorn", **environ)
        for _ in range(2):  # the main port, then the farm's
            found = await asyncio.to_thread(program.until, r"listening on http://(127.0.0.1:\d+)")
        user = invoke("token", "--sub", "ann", "--role", "client", **environ).stdout.strip()
        workers = [
            invoke("token", "--sub", "w", "--role", "server", "--server-id", f"farm:{name}", **environ).stdout.strip()
            for name in NAMES
        ]
        await asyncio.to_thread(_use, found[1], user, workers)
        await asyncio.to_thread(_stop, program, Client(found[1], workers[0], NAMES[0]))


def _stop(program: Program, client: Client) -> None:
    with client:
        assert program.stop(signal.SIGTERM) == 0
        with pytest.raises(ConnectionClosed):
            client.hear()
        assert client.socket.close_code == 1001


def _use(server: str, user: str, workers: list[str]) -> None:
    farm, worker = Farm(server, user), workers[0]
    for token, status in ((None, 401), ("x", 401), (user, 403)):
        with pytest.raises(InvalidStatus) as refused:
            Client(server, token, "client_1").__enter__()
        assert refused.value.response.status_code == status
    with Client(server, worker, "client_1") as client:
        _train(farm, client)
        _steer(farm, client)
        _look(farm, client)
        with Client(server, workers[1], NAMES[1]) as other:
            _train_together(farm, [client, other])
        with Client(server, worker, "client_1") as newer:
            with pytest.raises(ConnectionClosed):
                client.hear()
            assert client.socket.close_code == 1008
            newer.socket.send("no json")
            with pytest.raises(ConnectionClosed):
                newer.hear()
            assert newer.socket.close_code == 1002


def _train(farm: Farm, client: Client) -> None:
    client.beat()
    requirements = {"min_gpu_memory": 0, "min_cpu_cores": 1, "min_ram": 1}
    task_id = farm.create(batch_size=32, learning_rate=0.001, epochs=10, requirements=requirements)
    task = client.next_task()
    assert (task["id"], task["type"], task["requirements"]) == (task_id, "training", requirements)
    config = {"name": "model_name", "batch_size": 32, "learning_rate": 0.001, "epochs": 10, "distributed": False}
    assert task["config"].items() >= {**config, "rank": 0, "world_size": 1}.items()
    client.report(task_id, 45.5, loss=0.0023, accuracy=0.982)
    _until(lambda: farm.task(task_id)["progress"] == 45.5)
    running = farm.task(task_id)
    assert (running["status"], running["metrics"]) == ("running", {"loss": 0.0023, "accuracy": 0.982})
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", running["updated_at"])
    assert client.finish(task_id) is True
    assert client.finish(task_id) is True, "a result may be sent again"
    done = farm.task(task_id)
    assert (done["status"], done["progress"], done["metrics"]["final_loss"]) == ("completed", 100, 0.0018)


def _train_together(farm: Farm, clients: list[Client]) -> None:
    task_id = farm.create(distributed=True, n_clients=2)
    for client in clients:
        client.say("task_request")
    configs = [client.hear()["data"]["config"] for client in clients]
    assert sorted((config["rank"], config["world_size"]) for config in configs) == [(0, 2), (1, 2)]
    for client, progress in zip(clients, (20, 60), strict=True):
        client.report(task_id, progress)
    _until(lambda: farm.task(task_id)["progress"] == 40)
    assert [client.finish(task_id) for client in clients] == [True, True]
    assert farm.task(task_id)["status"] == "completed"


def _steer(farm: Farm, client: Client) -> None:
    task_id = farm.create()
    assert client.next_task()["id"] == task_id
    for status, action in (("paused", "pause"), ("running", "resume"), ("stopped", "stop")):
        code, answer = farm.put(task_id, status)
        assert (code, answer["status"]) == (200, status)
        message = client.hear()
        assert (message["type"], message["action"], message["task_id"]) == ("control", action, task_id)
    assert client.finish(task_id, "stopped") is True
    assert farm.put(task_id, "running")[0] == 409
    removed = farm.create()
    assert client.next_task()["id"] == removed
    assert farm.ask("DELETE", f"/api/tasks/{removed}") == (204, None)
    assert client.hear()["action"] == "stop"
    assert client.finish(removed) is True
    assert farm.ask("GET", f"/api/tasks/{removed}")[0] == 404


def _look(farm: Farm, client: Client) -> None:
    _, listed = farm.ask("GET", "/api/tasks?page=1&limit=1")
    assert (len(listed["tasks"]), listed["total"], listed["page"]) == (1, 2, 1)
    assert (farm.headers["X-Total-Count"], farm.headers["X-Page-Count"]) == ("2", "2")
    assert f'<http://{farm.server}/api/tasks?page=2&limit=1>; rel="next"' in farm.headers["Link"]
    assert (farm.headers["X-API-Version"], farm.headers["X-RateLimit-Limit"]) == ("1.0", "60")
    _, clients = farm.ask("GET", "/v1/clients")
    assert [(one["id"], one["status"]) for one in clients["clients"]] == [(client.id, "active")]
    _, details = farm.ask("GET", f"/api/clients/{client.id}")
    assert (details["performance"]["completed_tasks"], details["performance"]["success_rate"]) == (1, 1)
    _, metrics = farm.ask("GET", "/api/metrics")
    assert (metrics["clients"], metrics["tasks"]["completed"]) == ({"total": 1, "active": 1}, 1)
    assert metrics["resources"] == {"cpu_usage": 45.2, "ram_usage": 60.5, "gpu_usage": 80.0}
    status, refused = farm.ask("POST", "/api/tasks", {"name": "x"})
    assert (status, refused["error"]["code"]) == (400, "INVALID_REQUEST")


def _until(holds: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)  # another process: nothing to wait on but its answers
