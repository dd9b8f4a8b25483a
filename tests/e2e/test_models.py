"""Models of the cluster on two real agents: placed, used, moved and taken off, with the memory of the agents' own
processes as the witness; and a restart that a supervisor sees through."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from websockets.asyncio.client import connect

from tests.e2e.conftest import LiveGateway
from tests.e2e.test_agent import Fleet
from tests.support.program import Program

pytestmark = pytest.mark.e2e

MB = 1 << 20
WEIGHTS = 64 * MB
MODEL = """
import os, time

class Model:
    def load(self):
        self.weights = bytearray(b"x" * (64 << 20))
        while os.path.exists(__file__ + ".hold"):
            time.sleep(0.01)

    def predict(self, parameters):
        while os.path.exists(parameters.get("hold", "")):
            time.sleep(0.01)
        return {"NAME": 2 * parameters["n"]}
"""


@dataclass
class Box:
    """An agent with the model runner, restarted by hand as a supervisor does it."""

    name: str
    id: str
    agent: Program

    def resident(self) -> int:
        """What its models hold, bytes: each lives in a process of its own."""
        children = psutil.Process(self.agent.process.pid).children(recursive=True)
        return sum(child.memory_info().rss for child in children)


class Cluster:
    """The Cluster Manager under /cluster of the main port, as an operator uses it."""

    def __init__(self, fleet: Fleet, models: Path) -> None:
        self._fleet = fleet
        self._flags = (
            "--runner",
            "model",
            "--models",
            str(models),
            "--resource",
            "memoryMB=4096",
            "--concurrency",
            "2",
        )

    def agent(self, name: str) -> Program:
        return self._fleet.agent(*self._flags, name=name)

    async def box(self, name: str) -> Box:
        agent = await asyncio.to_thread(self.agent, name)
        listed = await self.get("/workers")
        (worker,) = [one["worker_id"] for one in listed["workers"] if one["name"] == name]
        return Box(name, worker, agent)

    async def get(self, path: str) -> Any:
        return await self._fleet.get("/cluster" + path)

    async def post(self, path: str, expect: int = 200, **body: Any) -> Any:
        headers = {"Authorization": f"Bearer {self._fleet.admin}"}
        answer = await self._fleet.http.post("/cluster" + path, json=body, headers=headers)
        assert answer.status_code == expect, answer.text
        return answer.json()

    async def register_called_server(self) -> str:
        body = {"name": "called", "endpoints": {"predict": "http://127.0.0.1:9/predict"}}
        return str((await self._fleet.order("/api/servers", body))["serverId"])

    async def done(self, operation_id: str) -> None:
        path = f"/api/operations/{operation_id}"
        operation = await self._fleet.until(path, lambda found: found["state"] != "running")
        assert operation["state"] == "done", operation

    async def assign(self, model: str, box: Box) -> None:
        answer = await self.post("/models/assign", model_name=model, worker_ids=[box.id], preload=True)
        await self.done(answer["assignment_id"])

    async def unload(self, model: str, box: Box) -> None:
        await self.done((await self.post("/models/unload", model_name=model, worker_ids=[box.id]))["operation_id"])

    async def placed(self, status: str = "loaded") -> dict[str, list[str]]:
        """All models by the worker that has them; they stand so."""
        found = (await self.get("/models/assignments"))["assignments"]
        assert {model["status"] for one in found for model in one["models"]} == {status}, found
        return {one["worker_id"]: sorted(model["name"] for model in one["models"]) for one in found}

    async def again(self, models: dict[str, list[str]], box: Box) -> None:
        """The worker has them in memory once more."""
        path = f"/cluster/workers/{box.id}"
        await self._fleet.until(
            path, lambda found: sorted(model["name"] for model in found["loaded_models"]) == models[box.id]
        )
        assert await self.placed() == models

    async def stands(self, model: str, *statuses: str) -> None:
        """Its copies, by registration of their workers."""

        def are(found: Any) -> bool:
            every = [one for worker in found["assignments"] for one in worker["models"]]
            return [one["status"] for one in every if one["name"] == model] == list(statuses)

        await self._fleet.until("/cluster/models/assignments", are)

    async def told_loaded(self) -> Any:
        """What the next event of a model tells."""
        headers = {"Authorization": f"Bearer {self._fleet.admin}"}
        url = str(self._fleet.http.base_url.copy_with(scheme="ws", path="/cluster/ws"))
        async with connect(url, additional_headers=headers, proxy=None) as socket:
            while (told := json.loads(await socket.recv()))["event"] != "model_loaded":
                pass
        return told["data"]

    async def reserved(self, box: Box) -> int:
        """What the dispatcher holds free for it, bytes."""
        allocated = (await self._fleet.get(f"/api/servers/{box.id}"))["allocated"]
        return round(allocated.get("memoryMB", 0) * MB)

    async def begin(self, model: str, **parameters: Any) -> str:
        """A task of a model."""
        task = await self.post("/tasks", task_type="double", model_name=model, parameters={"n": 21, **parameters})
        name: str = task["task_id"]
        return name

    async def run(self, model: str) -> tuple[Any, str]:
        """Its result, and the worker that ran it."""
        return await self.end(await self.begin(model))

    async def end(self, task_id: str) -> tuple[Any, str]:
        path = f"/cluster/tasks/{task_id}"
        ended = await self._fleet.until(path, lambda found: found["status"] in ("completed", "failed"))
        assert ended["status"] == "completed", ended
        return ended["result"], ended["assigned_worker"]


@pytest.fixture
async def cluster(gateway: LiveGateway, tmp_path: Path) -> AsyncIterator[Cluster]:
    models = tmp_path / "models"
    models.mkdir()
    for name in ("one", "two"):
        (models / f"{name}.py").write_text(MODEL.replace("NAME", name))
    fleet = Fleet(gateway)
    async with fleet.http:
        yield Cluster(fleet, models)


async def test_models_are_placed_used_moved_and_taken_off(cluster: Cluster) -> None:
    full, empty = await asyncio.gather(cluster.box("full"), cluster.box("empty"))
    before = full.resident()
    await cluster.assign("one", full)
    assert full.resident() - before > WEIGHTS, "the memory that the agent's processes hold"
    assert full.resident() * 0.5 < await cluster.reserved(full) < full.resident() * 1.5, "is what is reserved"
    assert await cluster.run("one") == ({"one": 42}, full.id), "it ran where the model is"
    await cluster.assign("two", full)
    await _rebalance(cluster, full, empty)
    await _unload(cluster, full)
    await _restart(cluster, empty)
    await _refuse(cluster)
    assert [await asyncio.to_thread(box.agent.stop, signal.SIGTERM) for box in (full, empty)] == [0, 0]


async def _rebalance(cluster: Cluster, full: Box, empty: Box) -> None:
    asked = {"strategy": "memory_optimized", "force": False}
    planned = await cluster.post("/cluster/rebalance", **asked, dry_run=True)
    (move,) = planned["operations"]
    assert (planned["status"], move["from_worker"], move["to_worker"]) == ("planned", full.id, empty.id)
    assert await cluster.placed() == {full.id: ["one", "two"]}, "a dry run moves nothing"
    high, low = full.resident(), empty.resident()

    begun = await cluster.post("/cluster/rebalance", **asked, dry_run=False)
    assert (begun["status"], begun["operations"]) == ("initiated", [move])
    await cluster.done(begun["rebalance_id"])
    stays = "two" if move["model"] == "one" else "one"
    assert await cluster.placed() == {full.id: [stays], empty.id: [move["model"]]}
    assert high - full.resident() > WEIGHTS
    assert empty.resident() - low > WEIGHTS
    assert await cluster.run(move["model"]) == ({move["model"]: 42}, empty.id), "tasks follow the model"
    again = await cluster.post("/cluster/rebalance", **asked, dry_run=False)
    assert (again["status"], again["operations"]) == ("completed", []), "even now"


async def _unload(cluster: Cluster, full: Box) -> None:
    high = full.resident()
    ((stays,),) = [models for worker, models in (await cluster.placed()).items() if worker == full.id]
    await cluster.unload(stays, full)
    assert high - full.resident() > WEIGHTS
    assert await cluster.reserved(full) == 0
    assert full.id not in await cluster.placed()


async def _restart(cluster: Cluster, box: Box) -> None:
    before = await cluster.placed()
    restart = await cluster.post(f"/workers/{box.id}/restart")
    again = await cluster.post(f"/workers/{box.id}/restart", expect=409)
    assert again["reason"] == "OPERATION_RUNNING"
    assert await asyncio.to_thread(box.agent.process.wait, 20) == 75
    box.agent = await asyncio.to_thread(cluster.agent, box.name)
    await cluster.done(restart["operation_id"])
    await cluster.again(before, box)
    assert box.resident() > WEIGHTS
    assert await cluster.reserved(box) > WEIGHTS


async def _refuse(cluster: Cluster) -> None:
    called = await cluster.register_called_server()
    for path, body in (
        ("/models/assign", {"model_name": "one", "worker_ids": [called]}),
        (f"/workers/{called}/restart", {}),
    ):
        assert (await cluster.post(path, expect=409, **body))["reason"] == "NO_CONTROL_CHANNEL"


async def test_what_a_task_loads_or_uses_is_not_unloaded_and_is_moved_when_it_is_idle(
    cluster: Cluster, tmp_path: Path
) -> None:
    loading, using = tmp_path / "models" / "one.py.hold", tmp_path / "hold"
    for hold in (loading, using):
        hold.touch()
    first = await cluster.box("first")
    told = asyncio.create_task(cluster.told_loaded())
    tasks = [await cluster.begin("one", hold=str(using))]
    unload = {"model_name": "one", "worker_ids": [first.id]}
    await cluster.stands("one", "loading")
    assert (await cluster.post("/models/unload", expect=409, **unload))["reason"] == "MODEL_BUSY"
    loading.unlink()
    assert ((await told)["model_name"], told.result()["worker_id"]) == ("one", first.id)
    await cluster.stands("one", "loaded")
    (model,) = (await cluster.get(f"/workers/{first.id}"))["loaded_models"]
    assert (model["name"], model["last_used"] is not None) == ("one", True)
    assert (await cluster.post("/models/unload", expect=409, **unload))["reason"] == "MODEL_BUSY"

    await cluster.assign("two", first)
    tasks.append(await cluster.begin("two", hold=str(using)))
    second = await cluster.box("second")
    begun = await cluster.post("/cluster/rebalance")
    (move,) = begun["operations"]
    await cluster.stands(move["model"], "unloading", "loaded")
    assert await cluster.run(move["model"]) == ({move["model"]: 42}, second.id), "new ones go to the target"
    using.unlink()
    await cluster.done(begun["rebalance_id"])
    assert [(await cluster.end(task))[1] for task in tasks] == [first.id, first.id], "and those that ran end normally"
    await cluster.stands(move["model"], "loaded")
    assert await asyncio.to_thread(first.agent.stop, signal.SIGTERM) == 0
    assert await asyncio.to_thread(second.agent.stop, signal.SIGTERM) == 0
