"""Models in processes of their own: memory rises with a load and falls with an unload."""

import asyncio
from pathlib import Path

import pytest

from dispatcher.agent import models as module
from dispatcher.agent.errors import CommandError, NotBegun, NotHere, TaskError
from dispatcher.agent.models import Models
from dispatcher.agent.resident import Resident
from dispatcher.agent.runners.model import RELOADS, ModelRunner
from dispatcher.agent.task import End
from tests.agent.attempts import NoRoom, Told, an_attempt
from tests.agent.resident_models import BIG, HAS_A_CHILD, MB, TALKS, processes


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
