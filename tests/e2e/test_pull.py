"""A backend that nobody can reach, against a real gateway."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dispatcher_sdk import AsyncDispatcher, RequestTimeout, TaskCancelled
from tests.e2e.conftest import LiveGateway
from tests.support.program import ROOT

pytestmark = pytest.mark.e2e

BACKEND = """
import os, time
from dispatcher_sdk import Backend

backend = Backend("behind-nat", transport="pull", max_concurrent=2)

@backend.predict
def work(payload, ctx):
    with open(os.environ["LOG"], "a") as log:
        log.write(f"{ctx.task_id} {ctx.attempt} {os.getpid()}\\n")
    ctx.progress(50)
    while payload.get("hang") and not ctx.cancelled:
        time.sleep(0.05)  # this and the next are the work itself: a function that takes its time
    time.sleep(payload.get("seconds", 0))
    with open(os.environ["LOG"], "a") as log:
        log.write(f"{ctx.task_id} ends{' cancelled' if ctx.cancelled else ''}\\n")
    return {"n": payload.get("n"), "pid": os.getpid()}

backend.run()
"""


class Backends:
    """Backend processes, with what they wrote."""

    def __init__(self, gateway: LiveGateway, log: Path, program: str = BACKEND) -> None:
        self._program = program
        self._gateway = gateway
        self._log = log
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self) -> "subprocess.Popen[bytes]":
        clean = {name: value for name, value in os.environ.items() if not name.startswith("DISPATCHER_")}
        environ = {
            **clean,
            "DISPATCHER_URL": self._gateway.url,
            "DISPATCHER_TOKEN": self._gateway.token("--sub", "root", "--role", "admin"),
            "PYTHONPATH": str(ROOT / "sdk"),
            "LOG": str(self._log),
        }
        process = subprocess.Popen([sys.executable, "-c", self._program], env=environ, stderr=subprocess.DEVNULL)
        self._running.append(process)
        return process

    async def said(self, text: str, times: int = 1) -> None:
        async with asyncio.timeout(30):
            while not self._log.exists() or self._log.read_text().count(text) < times:  # noqa: ASYNC110 - a file
                await asyncio.sleep(0.02)

    def end(self) -> None:
        for process in self._running:
            process.kill()
            process.wait()


@pytest.fixture
def backends(gateway: LiveGateway, tmp_path: Path) -> Iterator[Backends]:
    made = Backends(gateway, tmp_path / "log")
    yield made
    made.end()


@pytest.fixture
def client(gateway: LiveGateway) -> AsyncDispatcher:
    return AsyncDispatcher(gateway.url, gateway.token("--sub", "ann", "--role", "client"))


async def test_tasks_are_fetched_done_and_told(backends: Backends, client: AsyncDispatcher) -> None:
    process = backends.start()
    async with client:
        results = await asyncio.gather(*(client.run("t", {"n": n}, wait_timeout=30) for n in range(20)))
        assert results == [{"n": n, "pid": process.pid} for n in range(20)]
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 20) == 0
        waiting = await client.tasks.submit("t", {})
        assert (await client.tasks.get(waiting)).status == "PENDING"


async def test_told_to_stop_it_finishes_and_unregisters(
    backends: Backends, client: AsyncDispatcher, gateway: LiveGateway
) -> None:
    process = backends.start()
    async with client, AsyncDispatcher(gateway.url, gateway.token("--sub", "root", "--role", "admin")) as admin:
        task = await client.tasks.submit("t", {"seconds": 1})
        await backends.said(task.id)
        (server,) = [server async for server in admin.servers.list()]
        assert (server.transport, server.endpoints, server.active_tasks) == ("pull", {}, 1)
        process.send_signal(signal.SIGTERM)
        ended = await client.tasks.wait(task, timeout=20)
        assert (ended.status, ended.progress) == ("COMPLETED", 100)
        assert await asyncio.to_thread(process.wait, 20) == 0
        assert [server async for server in admin.servers.list()] == []


async def test_a_killed_worker_loses_nothing(backends: Backends, client: AsyncDispatcher) -> None:
    first = backends.start()
    async with client:
        task = await client.tasks.submit("t", {"n": 7, "seconds": 2})
        await backends.said(task.id)
        first.kill()
        second = backends.start()
        ended = await client.tasks.wait(task, timeout=40)
        assert ended.result == {"n": 7, "pid": second.pid}
        assert (ended.attempt, [attempt.status for attempt in ended.attempts]) == (2, ["lost", "completed"])


async def test_a_cancelled_task_stops_its_function(backends: Backends, client: AsyncDispatcher) -> None:
    backends.start()
    async with client:
        task = await client.tasks.submit("t", {"hang": True})
        await backends.said(task.id)
        await client.tasks.cancel(task)
        with pytest.raises(TaskCancelled):
            raise TaskCancelled(await client.tasks.wait(task, timeout=5))
        await backends.said(f"{task.id} ends cancelled")


@pytest.mark.parametrize("gateway", ["hypercorn", "granian"], indirect=True)
async def test_a_worker_that_went_away_while_it_waited_is_given_nothing(
    client: AsyncDispatcher, gateway: LiveGateway
) -> None:
    async with client, AsyncDispatcher(gateway.url, gateway.token("--sub", "root", "--role", "admin")) as admin:
        lost, alive = [(await admin.servers.register("w", transport="pull")).server_id for _ in range(2)]
        impatient = admin.with_options(timeout=-19.5, max_retries=0)  # half a second in all
        with pytest.raises(RequestTimeout):
            await impatient.servers.claim(lost, wait=20)
        await asyncio.sleep(0.3)
        task = await client.tasks.submit("t", {})
        claimed = await admin.servers.claim(alive, wait=5)
        assert claimed is not None
        assert (claimed.task_id, claimed.attempt) == (task.id, 1)
