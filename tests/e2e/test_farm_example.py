"""The farm's example as workers of their own, against a real gateway: paused, killed, sent away, and still the same."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from dispatcher.store.engine import open_engine
from dispatcher_sdk.farm import FarmTask
from dispatcher_sdk.farm.example.training import Training
from tests.cli.conftest import Invoke
from tests.support.program import ROOT, SECRET, Program

pytestmark = pytest.mark.e2e

TRAINING = {"epochs": 12, "learning_rate": 0.5, "batch_size": 50}


class Farm:
    """A client of the REST API, who can also start workers; they see one directory for checkpoints."""

    def __init__(self, url: str, directory: Path, token: Callable[..., str]) -> None:
        self._url = url.replace("http://", "ws://") + "/farm"
        self._directory = directory
        self._token = token
        bearer = token("--sub", "ann", "--role", "client")
        headers = {"Authorization": f"Bearer {bearer}"}
        self.http = httpx.AsyncClient(base_url=f"{url}/farm/api", headers=headers, timeout=30)

    @contextmanager
    def worker(self, name: str, delay: float) -> Iterator["subprocess.Popen[bytes]"]:
        token = self._token("--sub", name, "--role", "server", "--server-id", f"farm:{name}")
        command = [sys.executable, "-m", "dispatcher_sdk.farm.example", "--url", self._url, "--client-id", name]
        process = subprocess.Popen(
            [*command, "--checkpoints", str(self._directory), "--step-delay", str(delay)],
            env={"PYTHONPATH": str(ROOT / "sdk"), "DISPATCHER_TOKEN": token},
            stderr=subprocess.DEVNULL,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    async def create(self, **fields: Any) -> str:
        answer = await self.http.post("/tasks", json={"type": "training", "name": "demo", **TRAINING, **fields})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def put(self, task_id: str, status: str) -> None:
        answer = await self.http.put(f"/tasks/{task_id}/status", json={"status": status})
        assert answer.status_code == 200, answer.text

    async def until(self, task_id: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The task's details, once this holds."""
        found: dict[str, Any] = {}
        try:
            async with asyncio.timeout(30):
                while not found or not holds(found):
                    await asyncio.sleep(0.05)  # other processes: nothing to wait on but their answers
                    answer = await self.http.get(f"/tasks/{task_id}")
                    assert answer.status_code == 200, answer.text
                    found = answer.json()
        except TimeoutError:
            raise AssertionError(f"it stays {found}") from None
        return found


@pytest.fixture
async def farm(
    tmp_path_factory: pytest.TempPathFactory, start: Callable[..., Program], invoke: Invoke
) -> AsyncIterator[Farm]:
    async with open_engine(tmp_path_factory.mktemp("state"), ["wheel"]) as engine:
        environ = {
            "DISPATCHER_REDIS_URL": engine.url,
            "DISPATCHER_JWT_SECRET": SECRET,
            "DISPATCHER_LIMITS__ENABLED": "false",
            "DISPATCHER_FARM__REQUESTS": "0",
            "DISPATCHER_FARM__LEASE": "3s",
        }
        program = start("serve", "--port", "0", **environ)
        url = (await asyncio.to_thread(program.until, r"listening on (http://\S+)"))[1]
        made = Farm(
            url, tmp_path_factory.mktemp("shared"), lambda *flags: invoke("token", *flags, **environ).stdout.strip()
        )
        async with made.http:
            yield made


def weights(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.rglob("*.json")}


async def test_paused_killed_and_sent_away_it_comes_to_the_weights_of_an_undisturbed_training(
    farm: Farm, tmp_path_factory: pytest.TempPathFactory
) -> None:
    undisturbed = tmp_path_factory.mktemp("undisturbed")
    Training(undisturbed)(FarmTask("t", config=TRAINING, requirements={}, report=lambda *report: None))
    with ExitStack() as workers:
        first = workers.enter_context(farm.worker("one", 0.15))
        task_id = await farm.create()
        await farm.until(task_id, lambda task: task["progress"] > 0)

        await farm.put(task_id, "paused")
        paused = await farm.until(task_id, lambda task: task["status"] == "paused")
        await asyncio.sleep(0.6)  # four epochs, if it went on
        still = await farm.until(task_id, lambda task: True)
        assert still["status"] == "paused"
        assert still["progress"] - paused["progress"] < 100 * 2 / 12
        await farm.put(task_id, "running")
        await farm.until(task_id, lambda task: task["progress"] > still["progress"])

        first.kill()
        lost = await farm.until(task_id, lambda task: task["status"] == "pending")
        assert lost["progress"] < 100
        assert Path(lost["checkpoint_path"]).is_file()

        second = workers.enter_context(farm.worker("two", 0.15))
        again = await farm.until(task_id, lambda task: task["status"] == "running" and task["attempt"] == 2)
        await farm.until(task_id, lambda task: task["checkpoint_path"] != again["checkpoint_path"])
        second.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(second.wait, 20) == 0
        handed_back = await farm.until(task_id, lambda task: task["status"] == "pending")
        assert handed_back["checkpoint_path"] > lost["checkpoint_path"]

        third = workers.enter_context(farm.worker("three", 0))
        done = await farm.until(task_id, lambda task: task["status"] == "completed")
        assert done["progress"] == 100
        assert done["metrics"].keys() >= {"final_loss", "final_accuracy", "training_time"}
        assert done["metrics"]["final_accuracy"] > 0.9
        assert Path(done["checkpoint_path"]).name == "epoch-000012.json"
        third.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(third.wait, 20) == 0
    assert weights(Path(done["checkpoint_path"]).parent) == weights(undisturbed)


async def test_stopped_by_its_owner_it_ends_and_the_worker_takes_the_next(farm: Farm) -> None:
    with farm.worker("one", 0.1):
        task_id = await farm.create(epochs=500)
        await farm.until(task_id, lambda task: task["progress"] > 0)
        await farm.put(task_id, "stopped")
        following = await farm.create(epochs=1)
        await farm.until(following, lambda task: task["status"] == "completed")
        stopped = await farm.until(task_id, lambda task: task["status"] == "stopped")
        assert stopped["progress"] < 50
        wrong = await farm.create(epochs=1, seed="odd")
        failed = await farm.until(wrong, lambda task: task["status"] == "failed")
        assert "seed is a number" in failed["error"]


async def test_a_worker_that_was_killed_and_is_back_gets_its_task_again(farm: Farm) -> None:
    with farm.worker("one", 0.15) as killed:
        task_id = await farm.create(epochs=20)
        await farm.until(task_id, lambda task: task["progress"] > 0)
        killed.kill()
        with farm.worker("one", 0):
            done = await farm.until(task_id, lambda task: task["status"] == "completed")
            assert done["attempt"] == 2


async def test_both_ranks_of_a_distributed_training_go_on_from_their_own_checkpoints(
    farm: Farm, tmp_path_factory: pytest.TempPathFactory
) -> None:
    undisturbed = tmp_path_factory.mktemp("undisturbed")
    for rank in range(2):
        config = {**TRAINING, "rank": rank, "world_size": 2}
        Training(undisturbed)(FarmTask("t", config=config, requirements={}, report=lambda *report: None))
    with farm.worker("one", 0.15), farm.worker("two", 0.15) as killed:
        task_id = await farm.create(distributed=True, n_clients=2)
        await farm.until(task_id, lambda task: task["progress"] > 20)
        killed.kill()
        await farm.until(task_id, lambda task: task["status"] == "pending")
        with farm.worker("three", 0):
            done = await farm.until(task_id, lambda task: task["status"] == "completed")
    assert (done["attempt"], done["progress"]) == (2, 100)
    home = Path(done["checkpoint_path"]).parent.parent
    for rank in range(2):
        found, wanted = (weights(place / f"rank-{rank}") for place in (home, undisturbed / "t"))
        assert found == wanted
