"""The example's weights are those of an undisturbed training, whatever interrupts it."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from dispatcher_sdk.farm import FarmTask, Stopped
from dispatcher_sdk.farm.example.checkpoints import Checkpoints
from dispatcher_sdk.farm.example.data import generate
from dispatcher_sdk.farm.example.model import Model, Settings, batches
from dispatcher_sdk.farm.example.training import Training, settings
from tests.sdk.farm.scripted import Scripted, scripted
from tests.support.program import ROOT

CONFIG = {"epochs": 4, "learning_rate": 0.5, "batch_size": 50}


def task(on_step: Callable[[FarmTask, float], None] = lambda task, percent: None, **config: Any) -> FarmTask:
    def report(task: FarmTask, percent: float, metrics: Mapping[str, Any]) -> None:
        on_step(task, percent)

    return FarmTask("t1", config={**CONFIG, **config}, requirements={}, report=report)


def weights(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_it_learns_and_says_where_its_weights_are(tmp_path: Path) -> None:
    undisturbed = task()
    metrics = Training(tmp_path)(undisturbed)
    assert metrics.keys() == {"final_loss", "final_accuracy", "training_time"}
    assert metrics["final_loss"] < 0.5 < 0.9 < metrics["final_accuracy"]
    assert undisturbed.checkpoint_path == str(tmp_path / "t1/rank-0/epoch-000004.json")
    assert len(weights(tmp_path)) == 4


@pytest.mark.parametrize("epoch", [1, 3, 4])
def test_stopped_and_resumed_elsewhere_it_comes_to_the_same_bytes(tmp_path: Path, epoch: int) -> None:
    def stop(task: FarmTask, percent: float) -> None:
        if percent == 25 * epoch:
            task.stop()

    Training(tmp_path / "a")(task())
    interrupted = task(stop)
    with pytest.raises(Stopped):
        Training(tmp_path / "b")(interrupted)
    (tmp_path / "b").rename(tmp_path / "c")  # the other worker sees the shared directory under another path
    steps = list[float]()
    resumed = task(lambda task, percent: steps.append(percent), checkpoint_path=interrupted.checkpoint_path)
    metrics = Training(tmp_path / "c")(resumed)
    assert steps == [25.0 * done for done in range(epoch + 1, 5)]
    assert weights(tmp_path / "c") == weights(tmp_path / "a")
    assert metrics["final_accuracy"] > 0.9


def test_a_checkpoint_that_could_not_be_written_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    checkpoints = Checkpoints(tmp_path, "../../t 1", 0, {"seed": 1})
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            checkpoints.save(1, Model.fresh())
    assert weights(tmp_path) == {}
    checkpoints.save(1, Model([0.1, -1e-300], 1 / 3))
    assert list(weights(tmp_path)) == ["______t_1/rank-0/epoch-000001.json"]
    assert checkpoints.load("/elsewhere/epoch-000001.json") == (1, Model([0.1, -1e-300], 1 / 3))


@pytest.mark.parametrize("content", [None, "{", '{"about": {}}', '{"about": {"seed": 1}, "weights": [1]}'])
def test_without_a_checkpoint_that_fits_it_starts_anew(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "t1/rank-0").mkdir(parents=True)
        (tmp_path / "t1/rank-0/epoch-000002.json").write_text(content)
    steps = list[float]()
    Training(tmp_path)(task(lambda task, percent: steps.append(percent), checkpoint_path="/x/epoch-000002.json"))
    assert steps == [25, 50, 75, 100]


def test_a_checkpoint_of_other_settings_does_not_fit(tmp_path: Path) -> None:
    made = task()
    Training(tmp_path)(made)
    steps = list[float]()
    other = task(lambda task, percent: steps.append(percent), learning_rate=1, checkpoint_path=made.checkpoint_path)
    Training(tmp_path)(other)
    assert steps[0] == 25


def test_every_rank_has_rows_and_weights_of_its_own(tmp_path: Path) -> None:
    for rank in range(3):
        Training(tmp_path)(task(rank=rank, world_size=3))
    assert {Path(path).parent.name for path in weights(tmp_path)} == {"rank-0", "rank-1", "rank-2"}
    biases = {json.loads(text)["bias"] for path, text in weights(tmp_path).items() if path.endswith("4.json")}
    assert len(biases) == 3
    with pytest.raises(ValueError, match="more ranks than rows"):
        Training(tmp_path)(task(rank=600, world_size=601))


def test_data_order_and_settings() -> None:
    assert generate(1, 5) == generate(1, 5) != generate(2, 5)
    assert {row.label for row in generate(1)} == {0, 1}
    orders = [list(batches(generate(1, 5), Settings(batch_size=2), epoch)) for epoch in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]
    assert [len(batch) for batch in orders[0]] == [2, 2, 1]
    assert settings({}) == Settings()
    assert settings({"learning_rate": 1, "epochs": 2.0, "name": "m"}) == Settings(epochs=2, learning_rate=1.0)
    for wrong in ({"epochs": 0}, {"epochs": 1.5}, {"batch_size": 0}, {"learning_rate": "fast"}, {"seed": True},
                  {"learning_rate": 0}, {"learning_rate": float("inf")}):  # fmt: skip
        with pytest.raises(ValueError, match=r" is a |at least"):
            settings(wrong)


@pytest.mark.e2e
async def test_killed_it_goes_on_elsewhere_and_told_to_end_it_says_goodbye(tmp_path: Path) -> None:
    Training(tmp_path / "undisturbed")(task(epochs=5))
    shared = tmp_path / "shared"

    async def worker(name: str, delay: float) -> asyncio.subprocess.Process:
        command = ["-m", "dispatcher_sdk.farm.example", "--url", gateway.url, "--client-id", name]
        options = ["--checkpoints", str(shared), "--step-delay", str(delay)]
        return await asyncio.create_subprocess_exec(
            sys.executable, *command, *options,
            env={"PYTHONPATH": str(ROOT / "sdk"), "DISPATCHER_TOKEN": "t"}, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip

    async def reported(gateway: Scripted) -> str:
        return str((await gateway.next("task_progress"))["checkpoint_path"])

    async with scripted() as gateway:
        first = await worker("one", 0.05)
        second = None
        try:
            await gateway.next("task_request")
            await gateway.assign(**{**CONFIG, "epochs": 5})
            place = await reported(gateway)
            first.kill()
            await first.wait()
            second = await worker("two", 0.05)
            await gateway.next("task_request")
            await gateway.assign(**{**CONFIG, "epochs": 5}, attempt=2, checkpoint_path=place)
            await gateway.control("pause")
            await reported(gateway)
            second.send_signal(signal.SIGTERM)
            stopped = await gateway.next("task_result")
            assert (stopped["status"], stopped["attempt"]) == ("stopped", 2)
            await gateway.acknowledge()
            assert await second.wait() == 0
            assert gateway.socket.close_code == 1000
            third = second = await worker("three", 0)
            await gateway.next("task_request")
            await gateway.assign(**{**CONFIG, "epochs": 5}, checkpoint_path=stopped["checkpoint_path"])
            done = await gateway.next("task_result")
            assert done["status"] == "completed"
            assert done["metrics"]["final_accuracy"] > 0.9
            await gateway.acknowledge()
            gateway.refusals = [401]
            gateway.cut()
            assert await third.wait() == 1
        finally:
            for process in (first, second):
                if process is not None and process.returncode is None:
                    process.kill()
                    await process.wait()
    assert weights(shared) == weights(tmp_path / "undisturbed")
