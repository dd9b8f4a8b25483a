"""Restarts of an agent are nothing to its tasks: neither to those that run nor to those that wait."""

import asyncio
import json
import random
from typing import Any, cast

import pytest

from dispatcher.agent import agent as module
from dispatcher.agent.agent import Agent
from dispatcher.agent.machine import Machine
from dispatcher.agent.options import Options
from dispatcher.agent.task import End
from dispatcher.domain.command import NewCommand, Verb
from dispatcher.domain.transitions import TaskState
from tests.agent.real_gateway import real_gateway
from tests.agent.scripted import Led, StillMachine, briefly
from tests.dialects.native.world import START_MS


@pytest.mark.parametrize("registered_before", [True, False])
async def test_three_restarts_cost_no_task_a_loss(registered_before: bool) -> None:
    async with real_gateway() as (world, url, api):
        server_id, token = None, "admin"
        if registered_before:
            server_id = await world.register(endpoints=None, transport="socket", kinds=["process"])
            token = world.tokens.server(server_id)
        tasks = [await world.create(kind="process") for _ in range(2)]
        options = Options(url, "box", token, server_id, kinds=("process",))

        def started(turn: int) -> tuple[Led, "asyncio.Task[int]"]:
            led, machine = Led(), cast("Machine", StillMachine())
            agent = Agent(
                options, api, machine, {"process": led}, None, rng=random.Random(1), sleep=briefly, boot_id=f"b{turn}"
            )
            return led, asyncio.create_task(agent.run(asyncio.Event(), asyncio.Event()))

        async def found() -> list[Any]:
            return [(await world.store.tasks.get(task))[0] for task in tasks]

        async with asyncio.timeout(20):
            for turn in range(3):
                led, running = started(turn)
                await led.began.get()
                (server,) = await world.store.servers.all()
                args = json.dumps({"drain_s": 0, "boot_id": f"b{turn}"})
                await world.services.commands.send(
                    NewCommand(f"op{turn}", server.id, Verb.RESTART, START_MS + 60_000, args)
                )
                assert await running == module.RESTART
                assert [(one.state, one.losses) for one in await found()] == [(TaskState.PENDING, 0)] * 2
            led, running = started(3)
            for _ in tasks:
                await led.began.get()
                led.ends.put_nowait(End(result=1))
            while not all(one.ended for one in await found()):  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.01)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            assert [(one.state, one.losses) for one in await found()] == [(TaskState.COMPLETED, 0)] * 2
