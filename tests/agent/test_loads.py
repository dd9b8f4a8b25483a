"""Loads of models: one at a time, and they outlive the tasks that they were begun for."""

import asyncio
from pathlib import Path

import pytest

from dispatcher.agent.attempt import Attempt
from dispatcher.agent.errors import TaskError
from dispatcher.agent.models import Models
from dispatcher.agent.runners.model import ModelRunner
from dispatcher.agent.task import End
from tests.agent.attempts import an_attempt
from tests.agent.resident_models import BIG, HANGS, SLOW, processes


async def loading_of(runner: ModelRunner, model: str) -> tuple[Attempt, "asyncio.Task[End]"]:
    """An attempt for which a load has begun."""
    before = len(processes())
    attempt, _ = an_attempt("model", {"model": model, "parameters": 0})
    running = asyncio.create_task(runner.run(attempt))
    async with asyncio.timeout(10):
        while len(processes()) == before:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)
    return attempt, running


async def joining(runner: ModelRunner, model: str) -> tuple[Attempt, "asyncio.Task[End]"]:
    attempt, _ = an_attempt("model", {"model": model})
    running = asyncio.create_task(runner.run(attempt))
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
