"""The SDK against a real gateway: its README's backend, 202, drain, and the tutorial's model."""

import asyncio
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from dispatcher_sdk import AsyncDispatcher, Dispatcher, TaskFailed
from tests.e2e.fleet import ROOT, environment
from tests.e2e.world import ADMIN, CLIENT, World, until

pytestmark = pytest.mark.e2e
README = (ROOT / "sdk/README.md").read_text()
TEN_LINES = next(p for p in re.findall(r"^```python\n(.*?)^```$", README, re.M | re.S) if "backend.run()" in p)
SLOW = """
import time
from dispatcher_sdk import Backend

backend = Backend("slow", capabilities=["slow"], max_concurrent=4{options})

@backend.predict
def work(payload, ctx):
    for percent in (25, 50, 75):
        time.sleep(payload["seconds"] / 4)  # the work itself
        ctx.progress(percent)
    time.sleep(payload["seconds"] / 4)
    return {{"seconds": payload["seconds"], "attempt": ctx.attempt}}

backend.run()
"""


@asynccontextmanager
async def _backend(world: World, tmp_path: Path, program: str, name: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The program as a process, once it is registered; afterwards it must have left by itself."""
    (tmp_path / "backend.py").write_text(program)
    environ = environment(DISPATCHER_URL=world.fleet.urls[0], DISPATCHER_TOKEN=ADMIN)
    process = await asyncio.create_subprocess_exec(sys.executable, tmp_path / "backend.py", env=environ)
    try:
        await until(lambda: _is_there(world, name), f"{name} is registered")
        yield process
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 20) == 0
        assert not await _is_there(world, name)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _is_there(world: World, name: str) -> bool:
    return any(server["name"] == name for server in (await world.call("GET", "/api/servers"))["servers"])


async def test_the_readmes_ten_lines_are_a_server(world: World, tmp_path: Path) -> None:
    async with _backend(world, tmp_path, TEN_LINES, "word-counter"):
        with Dispatcher(world.fleet.urls[1], CLIENT) as client:
            result = await asyncio.to_thread(client.run, "word-count", {"text": "to be or not"}, capabilities=["text"])
            assert result == {"words": 4}
            with pytest.raises(TaskFailed, match="text is missing"):
                await asyncio.to_thread(client.run, "word-count", {}, capabilities=["text"])


@pytest.mark.parametrize("options", ["", ', mode="accept"'], ids=["answer", "accept"])
async def test_a_backend_finishes_what_it_began(world: World, tmp_path: Path, options: str) -> None:
    program = SLOW.format(options=options)
    async with (
        _backend(world, tmp_path, program, "slow") as process,
        AsyncDispatcher(world.fleet.urls[2], CLIENT) as client,
    ):
        tasks = [await client.tasks.submit("x", {"seconds": 1.2}, capabilities=["slow"]) for _ in range(3)]
        await until(lambda: _progressed(client, [task.id for task in tasks]), "progress of all")
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 20) == 0
        ends = [await client.tasks.wait(task, timeout=10) for task in tasks]
    assert [end.status for end in ends] == ["COMPLETED"] * 3
    assert [end.result for end in ends] == [{"seconds": 1.2, "attempt": 1}] * 3


async def _progressed(client: AsyncDispatcher, tasks: list[str]) -> bool:
    return all([((await client.tasks.get(task)).progress or 0) >= 25 for task in tasks])


async def test_the_tutorials_model_answers_the_same_through_the_gateway(world: World, tmp_path: Path) -> None:
    program = ROOT / "docs/tutorial/digits_backend.py"
    namespace: dict[str, Any] = {"__name__": "digits"}
    exec(compile(program.read_text(), str(program), "exec"), namespace)  # noqa: S102 - the model, called directly
    images = namespace["unseen"][:40].tolist()
    direct = namespace["read_digits"]({"images": images})
    async with (
        _backend(world, tmp_path, program.read_text(), "digits-01"),
        AsyncDispatcher(world.fleet.urls[1], CLIENT) as client,
    ):
        result = await client.run("digits", {"images": images}, capabilities=["digits"], wait_timeout=30)
    assert result == {name: values.tolist() for name, values in direct.items()}
