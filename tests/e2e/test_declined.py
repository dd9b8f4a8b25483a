"""Agents that do not all allow the same images, against a real gateway."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx
import pytest

from dispatcher.agent.agent import Agent
from dispatcher.agent.api import Api
from dispatcher.agent.attempt import Attempt
from dispatcher.agent.machine import Machine
from dispatcher.agent.options import Options
from dispatcher.agent.runners.command import image_of
from dispatcher.agent.task import End
from tests.agent.scripted import StillMachine
from tests.e2e.conftest import LiveGateway

pytestmark = pytest.mark.e2e


class Images:
    """A runner that does nothing for images that match, once it may."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.may = asyncio.Event()

    async def run(self, attempt: Attempt) -> End:
        image = image_of(attempt.task.payload, (self.pattern,))
        await self.may.wait()
        return End(result=image)


@asynccontextmanager
async def agent(gateway: LiveGateway, admin: str, name: str, runner: Images) -> AsyncIterator[None]:
    options = Options(gateway.url, name, admin, kinds=("docker",))
    stopping, hurry = asyncio.Event(), asyncio.Event()
    async with httpx.AsyncClient() as client:
        made = Agent(
            options, Api(options.url, client), cast("Machine", StillMachine()), {"docker": runner}, None,
            rng=random.Random(1),
        )  # fmt: skip
        running = asyncio.create_task(made.run(stopping, hurry))
        try:
            yield
        finally:
            hurry.set()
            stopping.set()
            await running


class Client:
    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def submit(self, image: str) -> str:
        body = {"type": "t", "priority": 1, "kind": "docker", "payload": {"docker_image": image, "command": "x"}}
        answer = await self._http.post("/api/task", json=body)
        assert answer.status_code == 200, answer.text
        name: str = answer.json()["id"]
        return name

    async def until(self, task_id: str, holds: Callable[[Any], bool]) -> Any:
        async with asyncio.timeout(40):
            while not holds(found := (await self._http.get(f"/api/task/{task_id}")).json()):  # noqa: ASYNC110
                await asyncio.sleep(0.05)  # another process
        return found


def ways(task: Any) -> list[str]:
    return [attempt["status"] for attempt in task.get("attempts", [])]


async def test_what_most_workers_may_not_run_is_run_by_the_one_that_may(gateway: LiveGateway) -> None:
    admin = gateway.token("--sub", "root", "--role", "admin")
    token = gateway.token("--sub", "ann", "--role", "client")
    able, others = Images("tools/*"), [Images("other/*"), Images("other/*")]
    others[0].may.set()
    others[1].may.set()
    async with httpx.AsyncClient(base_url=gateway.url, headers={"Authorization": f"Bearer {token}"}) as http:
        client = Client(http)
        async with agent(gateway, admin, "able", able):
            tasks = [await client.submit("tools/sh:1") for _ in range(6)]
            await client.until(tasks[0], lambda task: task["status"] == "PROCESSING")
            async with agent(gateway, admin, "b", others[0]), agent(gateway, admin, "c", others[1]):
                for task in tasks[1:]:
                    shown = await client.until(task, lambda task: ways(task) == ["declined", "declined"])
                    assert shown["status"] == "PENDING"
                own = await client.submit("other/sh:1")
                done = await client.until(own, lambda task: task["status"] == "COMPLETED")
                assert ways(done) == ["completed"], "what they may run is not held up"
                able.may.set()
                for task in tasks:
                    done = await client.until(task, lambda task: task["status"] not in ("PENDING", "PROCESSING"))
                    assert (done["status"], done["result"], done["failures"]) == ("COMPLETED", "tools/sh:1", 0)
                    assert [way for way in ways(done) if way != "declined"] == ["completed"]
                refused = await client.submit("evil:1")
                failed = await client.until(refused, lambda task: task["status"] == "FAILED")
                assert (failed["errorCode"], ways(failed)) == ("DECLINED", ["declined"] * 3)
                assert "image evil:1 is not allowed on this worker" in failed["error"]
