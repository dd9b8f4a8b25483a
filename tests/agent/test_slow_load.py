"""A task whose time is shorter than the load of its model gets it with a later attempt, and it is counted then."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

from dispatcher.agent.agent import Agent
from dispatcher.agent.machine import Machine
from dispatcher.agent.models import Models
from dispatcher.agent.options import Options
from dispatcher.agent.runners.model import ModelRunner
from dispatcher.domain.placement import PlacementStatus
from dispatcher.domain.transitions import TaskState
from tests.agent.real_gateway import real_gateway
from tests.agent.resident_models import SLOW
from tests.agent.scripted import StillMachine, briefly


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await condition():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)


async def test_each_attempt_goes_on_with_the_load_of_the_one_before(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    models = Models(tmp_path, lambda pids: 0)
    async with real_gateway() as (world, url, api):
        options = Options(url, "box", "admin", kinds=("model",), resources={"memoryMB": 4096})
        runners, machine = {"model": ModelRunner(models, 1.0)}, cast("Machine", StillMachine())
        agent = Agent(options, api, machine, runners, models, rng=random.Random(1), sleep=briefly)
        stopping = asyncio.Event()
        running = asyncio.create_task(agent.run(stopping, asyncio.Event()))
        task = await world.create(kind="model", payload={"model": "slow"}, timeout=1)

        async def begun(fence: int) -> bool:
            found = (await world.store.tasks.get(task))[0]
            return found is not None and (found.state, found.fence) == (TaskState.PROCESSING, fence)

        async def placed() -> list[PlacementStatus]:
            return [one.status for one in await world.store.placements.find()]

        async def came_and_went(fence: int) -> bool:
            return not await begun(fence) and not agent._work.at_work

        async def later(ms: int) -> None:
            world.clock.advance(ms)
            await world.store.tasks.tick(gateway="gw_test")

        await until(lambda: begun(1))
        await until(lambda: asyncio.sleep(0, (tmp_path / "slow.py.loads").exists()))
        assert await placed() == [PlacementStatus.LOADING]
        await later(1_001)
        await until(lambda: came_and_went(1))
        assert await placed() == [], "nobody waits for it"
        await later(5_000)
        await until(lambda: begun(2))
        assert await placed() == [PlacementStatus.LOADING]
        (tmp_path / "slow.py.go").touch()

        async def completed() -> bool:
            found = (await world.store.tasks.get(task))[0]
            return found is not None and found.state is TaskState.COMPLETED

        await until(completed)
        assert (tmp_path / "slow.py.loads").read_text() == "x", "it was loaded once"
        assert await placed() == [PlacementStatus.LOADED]
        stopping.set()
        assert await running == 0
