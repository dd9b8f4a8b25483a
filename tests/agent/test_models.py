"""Models in processes of their own: memory rises with a load and falls with an unload."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from dispatcher.agent.errors import CommandError, NotBegun, TaskError
from dispatcher.agent.models import Models
from dispatcher.agent.resident import HOST, Resident
from dispatcher.agent.runners.model import RELOADS, ModelRunner
from dispatcher.agent.task import End
from tests.agent.attempts import NoRoom, Told, an_attempt

MB = 1 << 20
BIG = """
import os, time

class Model:
    def load(self):
        self.weights = bytearray(b"x" * (80 << 20))

    def predict(self, parameters):
        print("asked", parameters, flush=True)
        if parameters == "die":
            os._exit(1)
        if parameters == "hang":
            time.sleep(600)
        return {"n": parameters["n"] + 1}
"""
TALKS = """
class Model:
    def load(self):
        pass

    def predict(self, lines):
        print("1234567\\n" * lines, end="")
"""
HANGS = "import time\nclass Model:\n    def load(self):\n        time.sleep(600)\n"
BROKEN = "class Model:\n    def load(self):\n        raise ValueError('no weights')\n"


@pytest.fixture
async def models(tmp_path: Path) -> AsyncIterator[Models]:
    (tmp_path / "big.py").write_text(BIG)
    (tmp_path / "hangs.py").write_text(HANGS)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "model.py").write_text(BROKEN)
    made = Models(tmp_path, lambda pid: 7)
    yield made
    await made.close()


def processes() -> list[psutil.Process]:
    """Those of models: this process may have others."""
    return [child for child in psutil.Process().children() if str(HOST) in child.cmdline()]


def resident_bytes() -> int:
    """What they hold."""
    return sum(child.memory_info().rss for child in processes())


async def test_memory_rises_on_load_and_falls_on_unload(models: Models) -> None:
    before = resident_bytes()
    resident = await models.load("big")
    assert resident_bytes() - before > 80 * MB
    assert 80 * MB < resident.memory < 200 * MB
    (told,) = models.loaded
    measured = {"memory": resident.memory, "gpuMemory": 7, "loadTime": resident.load_ms}
    assert told == {"model": "big", **measured, "active": 0}
    assert await models.load("big") is resident, "loading what is loaded changes nothing"
    await models.unload("big", force=False)
    assert resident_bytes() - before < 10 * MB
    assert models.loaded == []
    await models.unload("big", force=False)


async def test_a_task_loads_its_model_and_asks_it(models: Models) -> None:
    attempt, told = an_attempt("model", {"model": "big", "parameters": {"n": 1}})
    assert await ModelRunner(models, 1.0).run(attempt) == End(result={"n": 2})
    assert told.lines == [("stdout", "asked {'n': 1}")]
    assert [one["model"] for one in models.loaded] == ["big"]


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("broken", "ValueError: no weights"),
        ("nothing", "there is no model nothing"),
        ("../secret", "there is no model"),
        (None, "model must be a string"),
    ],
)
async def test_what_cannot_be_loaded_is_refused(models: Models, model: object, message: str, tmp_path: Path) -> None:
    (tmp_path.parent / "secret.py").write_text(BIG)
    attempt, _ = an_attempt("model", {"model": model})
    with pytest.raises(TaskError, match=message):
        await ModelRunner(models, 1.0).run(attempt)
    assert models.loaded == []


async def test_a_prediction_that_fails_leaves_the_model_and_one_that_dies_takes_it_along(models: Models) -> None:
    runner = ModelRunner(models, 1.0)
    bad, _ = an_attempt("model", {"model": "big", "parameters": {}})
    with pytest.raises(TaskError, match="KeyError: 'n'"):
        await runner.run(bad)
    first = await models.load("big")
    dead, _ = an_attempt("model", {"model": "big", "parameters": "die"})
    with pytest.raises(TaskError, match="process has ended") as died:
        await runner.run(dead)
    assert died.value.retryable
    async with asyncio.timeout(5):
        while models.loaded:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)
    good, _ = an_attempt("model", {"model": "big", "parameters": {"n": 1}})
    assert (await runner.run(good)).result == {"n": 2}
    assert (await models.load("big")).pid != first.pid


async def asked(told: Told) -> None:
    """Its prediction has begun."""
    async with asyncio.timeout(10):
        while not told.lines:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("way", ["die", "hang", "unload"])
async def test_who_waits_for_a_model_that_ends_is_run_with_a_new_one(models: Models, way: str) -> None:
    runner = ModelRunner(models, 0.1)
    await models.load("big")
    ending, told = an_attempt("model", {"model": "big", "parameters": "die" if way == "die" else "hang"})
    waiting = [an_attempt("model", {"model": "big", "parameters": {"n": n}})[0] for n in (1, 2)]
    first, *others = [asyncio.create_task(runner.run(attempt)) for attempt in (ending, *waiting)]
    if way != "die":
        await asked(told)
    if way == "hang":
        ending.stop("late")
    if way == "unload":  # the operator's word: it does not come back at once
        await models.unload("big", force=True)
    ends = await asyncio.gather(first, *others, return_exceptions=True)
    failed = [end for end in ends if isinstance(end, TaskError)]
    assert all(str(end) == "the model's process has ended" and end.retryable for end in failed)
    if way == "unload":
        assert (len(failed), models.loaded) == (3, [])
    else:
        assert ends[1:] == [End(result={"n": 2}), End(result={"n": 3})]
        assert len(processes()) == 1


async def test_a_model_that_always_ends_too_soon_is_not_loaded_for_ever(
    models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0

    async def predict(*_: object) -> object:
        nonlocal tries
        tries += 1
        raise NotBegun("gone")

    monkeypatch.setattr(Resident, "predict", predict)
    with pytest.raises(TaskError, match="gone"):
        await ModelRunner(models, 1.0).run(an_attempt("model", {"model": "big"})[0])
    assert tries == 1 + RELOADS


async def test_what_hangs_is_killed_and_what_waits_is_not_in_its_way(models: Models) -> None:
    runner = ModelRunner(models, 0.1)
    hanging, told = an_attempt("model", {"model": "big", "parameters": "hang"})
    waiting, _ = an_attempt("model", {"model": "big", "parameters": {"n": 1}})
    first = asyncio.create_task(runner.run(hanging))
    await asked(told)
    second = asyncio.create_task(runner.run(waiting))
    await asyncio.sleep(0)
    waiting.stop("not wanted")
    assert await second == End(error="not wanted")
    assert not first.done(), "the one before it goes on"
    with pytest.raises(CommandError, match="in use"):
        await models.unload("big", force=False)
    hanging.stop("late")
    assert await first == End(error="late")
    assert models.loaded == []


async def test_a_model_in_use_is_waited_for(models: Models) -> None:
    never: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    async with models.using("big", never), models.using("big", never):
        with pytest.raises(CommandError, match="in use"):
            await models.unload("big", force=False, within_s=0.01)
        unloading = asyncio.create_task(models.unload("big", force=False, within_s=60))
        async with models.using("big", never):
            pass
        await asyncio.sleep(0)
        assert not unloading.done(), "others use it"
        assert [one["model"] for one in models.loaded] == ["big"]
    async with asyncio.timeout(10):
        await unloading
    assert (models.loaded, processes()) == ([], [])


async def test_by_force_it_is_unloaded_under_the_hands_of_a_task(models: Models) -> None:
    attempt, told = an_attempt("model", {"model": "big", "parameters": "hang"})
    running = asyncio.create_task(ModelRunner(models, 1.0).run(attempt))
    await asked(told)
    await models.unload("big", force=True)
    with pytest.raises(TaskError, match="process has ended"):
        await running


async def test_a_load_that_hangs_is_in_nobodys_way_and_ends_with_its_task(models: Models) -> None:
    await models.load("big")
    runner = ModelRunner(models, 1.0)
    hanging, _ = an_attempt("model", {"model": "hangs"})
    loading = asyncio.create_task(runner.run(hanging))
    async with asyncio.timeout(10):
        while len(processes()) < 2:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)
        other, _ = an_attempt("model", {"model": "big", "parameters": {"n": 1}})
        assert (await runner.run(other)).result == {"n": 2}, "it is loaded already"
        hanging.stop("not wanted")
        assert await loading == End(error="not wanted")
        assert len(processes()) == 1


@pytest.mark.parametrize("limit", [0.0, 0.001, 0.004, 0.3])
async def test_a_load_has_a_time_limit(models: Models, tmp_path: Path, limit: float) -> None:
    """However far it has come."""
    with pytest.raises(TaskError, match=f"model hangs was not loaded within {limit:g} s"):
        await Models(tmp_path, lambda pid: 0, load_s=limit).load("hangs")
    assert processes() == []


async def test_a_model_waits_while_there_is_no_room_and_all_it_says_is_its_tasks(
    models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "talks.py").write_text(TALKS)
    runner = ModelRunner(models, 1)
    attempt, told = an_attempt("model", {"model": "talks", "parameters": 50_000})
    room = NoRoom(attempt, monkeypatch)
    running = asyncio.create_task(runner.run(attempt))
    async with asyncio.timeout(10):
        await room.asked.wait()
    await asyncio.sleep(0.1)
    assert not running.done()
    room.made.set()
    assert (await running).error is None
    assert len(told.lines) == 50_000
    attempt, told = an_attempt("model", {"model": "talks", "parameters": 6_000})
    NoRoom(attempt, monkeypatch)
    assert (await runner.run(attempt)).error is None
    assert len(told.lines) == 6_000
