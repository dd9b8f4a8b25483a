"""Models in processes of their own: memory rises with a load and falls with an unload."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from dispatcher.agent import models as module
from dispatcher.agent.attempt import Attempt
from dispatcher.agent.errors import CommandError, NotBegun, NotHere, TaskError
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
HAS_A_CHILD = """
import subprocess, sys

CHILD = "x = bytearray(b'x' * (80 << 20)); print(flush=True); import time; time.sleep(600)"

class Model:
    def load(self):
        self.child = subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE)
        self.child.stdout.readline()

    def predict(self, mb):
        self.more = bytearray(b"x" * (mb << 20))
"""
SLOW = """
import os, time

class Model:
    def load(self):
        open(__file__ + ".loads", "a").write("x")
        while not os.path.exists(__file__ + ".go"):
            time.sleep(0.01)

    def predict(self, parameters):
        return "done"
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


async def test_what_a_model_takes_is_that_of_its_children_too_and_is_seen_to_grow(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text(HAS_A_CHILD)
    models = Models(tmp_path, lambda pids: len(pids) * MB)

    async def told_after(grown_mb: int) -> tuple[int, int]:
        end = await ModelRunner(models, 1.0).run(an_attempt("model", {"model": "m", "parameters": grown_mb})[0])
        assert end == End()
        await models.measure()
        (told,) = models.loaded
        return told["memory"], told["gpuMemory"]

    loaded, on_gpus = await told_after(0)
    assert loaded > 85 * MB
    assert on_gpus == 2 * MB
    assert (await told_after(3))[0] == loaded, "that is no change to speak of"
    assert (await told_after(40))[0] > loaded + 30 * MB
    assert (await told_after(0))[0] < loaded + 10 * MB
    await models.close()


async def test_a_task_loads_its_model_and_asks_it(models: Models) -> None:
    attempt, told = an_attempt("model", {"model": "big", "parameters": {"n": 1}})
    assert await ModelRunner(models, 1.0).run(attempt) == End(result={"n": 2})
    assert told.lines == [("stdout", "asked {'n': 1}")]
    assert [one["model"] for one in models.loaded] == ["big"]


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("broken", "ValueError: no weights"),
        (None, "model must be a string"),
    ],
)
async def test_what_cannot_be_loaded_is_refused(models: Models, model: object, message: str) -> None:
    attempt, _ = an_attempt("model", {"model": model})
    with pytest.raises(TaskError, match=message):
        await ModelRunner(models, 1.0).run(attempt)
    assert models.loaded == []


async def test_no_more_are_in_memory_than_can_be_told(
    models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_MODELS", 2)
    for name in ("a", "b", "c", "x" * 129, "no\nname"):
        (tmp_path / f"{name}.py").write_text(TALKS)
    for name in ("x" * 129, "no\nname"):
        with pytest.raises(NotHere, match="there is no model"):
            await models.load(name)
    told = []

    async def changed() -> None:
        told.append([one["model"] for one in models.loaded])

    models.changed = changed
    runner = ModelRunner(models, 1.0)
    for name in ("a", "b", "a"):
        await runner.run(an_attempt("model", {"model": name, "parameters": 0})[0])
    await models.load("c")
    assert told == [["a"], ["a", "b"], ["a"], ["a", "c"]], "b was used least lately"
    never: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    async with models.using("a", never), models.using("c", never):
        with pytest.raises(NotHere, match="2 models are in memory and in use"):
            await runner.run(an_attempt("model", {"model": "b"})[0])
    assert [one["model"] for one in models.loaded] == ["a", "c"]


@pytest.mark.parametrize("model", ["nothing", "../secret"])
async def test_what_is_not_in_its_directory_is_for_others(models: Models, model: str, tmp_path: Path) -> None:
    (tmp_path.parent / "secret.py").write_text(BIG)
    attempt, _ = an_attempt("model", {"model": model})
    with pytest.raises(NotHere, match="there is no model"):
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


async def loading_of(runner: ModelRunner, model: str) -> tuple[Attempt, "asyncio.Task[End]"]:
    """An attempt for which a load has begun."""
    before = len(processes())
    attempt, _ = an_attempt("model", {"model": model, "parameters": 0})
    running = asyncio.create_task(runner.run(attempt))
    async with asyncio.timeout(10):
        while len(processes()) == before:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)
    return attempt, running


async def test_a_load_outlives_a_task_that_stops_and_is_there_for_the_next_attempt(
    models: Models, tmp_path: Path
) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    runner = ModelRunner(models, 1.0)
    for begin in (loading_of, joining):
        attempt, running = await begin(runner, "slow")
        attempt.stop("late")
        assert await running == End(error="late")
        assert len(processes()) == 1, "it goes on"
    again = asyncio.create_task(runner.run(an_attempt("model", {"model": "slow"})[0]))
    await asyncio.sleep(0)
    (tmp_path / "slow.py.go").touch()
    assert await again == End(result="done")
    assert (tmp_path / "slow.py.loads").read_text() == "x"


async def joining(runner: ModelRunner, model: str) -> tuple[Attempt, "asyncio.Task[End]"]:
    attempt, _ = an_attempt("model", {"model": model})
    running = asyncio.create_task(runner.run(attempt))
    await asyncio.sleep(0.01)
    return attempt, running


async def test_a_load_that_nobody_wants_is_told_of_and_ends_with_the_agent(models: Models, tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    told = asyncio.Event()

    async def changed() -> None:
        told.set()

    models.changed = changed
    attempt, running = await loading_of(ModelRunner(models, 1.0), "slow")
    attempt.stop("cancelled")
    await running
    (tmp_path / "slow.py.go").touch()
    async with asyncio.timeout(10):
        await told.wait()
    assert [(one["model"], one["active"]) for one in models.loaded] == [("slow", 0)]
    attempt, running = await loading_of(ModelRunner(models, 1.0), "hangs")
    attempt.stop("cancelled")
    await running
    await models.close()
    assert processes() == []


async def test_a_load_that_hangs_gives_way_once_nobody_wants_it_and_another_model_waits(tmp_path: Path) -> None:
    for name, text in (("hangs", HANGS), ("big", BIG)):
        (tmp_path / f"{name}.py").write_text(text)
    models = Models(tmp_path, lambda pids: 0, patience_s=0.05)
    runner = ModelRunner(models, 1.0)
    hanging, loading = await loading_of(runner, "hangs")
    task = an_attempt("model", {"model": "big", "parameters": {"n": 1}})[0]
    other = asyncio.create_task(runner.run(task))
    await asyncio.sleep(0.2)
    assert not other.done(), "it is wanted"
    hanging.stop("not wanted")
    assert await loading == End(error="not wanted")
    assert await other == End(result={"n": 2})
    assert len(processes()) == 1
    await models.close()


async def test_what_waits_for_its_turn_and_is_wanted_no_more_is_not_begun(models: Models) -> None:
    runner = ModelRunner(models, 1.0)
    hanging, loading = await loading_of(runner, "hangs")
    waiting, running = await joining(runner, "big")
    waiting.stop("cancelled")
    assert await running == End(error="cancelled")
    hanging.stop("cancelled")
    await loading
    assert [load.name for load in models._loads._loads.values()] == ["hangs"]


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
