"""What is left when there was no time to say goodbye."""

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from redis.exceptions import RedisError

from dispatcher.store.engine import Engine, EngineError, open_engine, spawned
from tests.store.engine import holder


def _start(directory: Path, engine: str) -> tuple["subprocess.Popen[str]", int]:
    """A process that holds an engine, and the engine's pid."""
    command = [sys.executable, holder.__file__, str(directory), engine]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": os.getcwd()}
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def _gone(pid: int) -> bool:
    """True when the process has ended (collected or not) within 5 s."""
    try:
        process = psutil.Process(pid)
        if process.status() != psutil.STATUS_ZOMBIE:
            process.wait(5)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return process.status() == psutil.STATUS_ZOMBIE
    return True


@pytest.mark.parametrize("engine", ["path", "wheel"])
async def test_the_engine_dies_with_its_parent_and_the_data_survives(tmp_path: Path, engine: str) -> None:
    process, server = _start(tmp_path, engine)
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()
    assert _gone(server)
    async with open_engine(tmp_path, [engine]) as opened, opened.client() as client:
        assert await client.get("runs") == b"1"


async def test_a_kill_of_everything_loses_nothing(tmp_path: Path) -> None:
    process, server = _start(tmp_path, "wheel")
    os.kill(server, signal.SIGKILL)
    process.kill()
    process.communicate()
    async with open_engine(tmp_path, ["wheel"]) as opened, opened.client() as client:
        assert await client.get("runs") == b"1"


async def test_a_server_left_behind_is_stopped_first(tmp_path: Path) -> None:
    arguments = spawned._arguments(Path("redis-server"), tmp_path / "redis", tmp_path / "redis" / "redis.sock")
    (tmp_path / "redis").mkdir()
    (tmp_path / "redis" / "socket").write_text(str(tmp_path / "redis" / "redis.sock"))
    orphan = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
    while not spawned._listens(str(tmp_path / "redis" / "redis.sock")):
        os.sched_yield()
    async with open_engine(tmp_path, ["path"]) as opened, opened.client() as client:
        assert orphan.wait(5) == 0
        assert await client.ping()


def test_ctrl_c_of_the_process_group_does_not_reach_the_engine(tmp_path: Path) -> None:
    process, server = _start(tmp_path, "wheel")
    try:
        assert os.getsid(server) != os.getsid(process.pid)
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate()
    assert _gone(server)


async def _kill(engine: Engine) -> int:
    """Kill the server; answers its pid."""
    async with engine.client() as client:
        pid = int((await client.info("server"))["process_id"])
    os.kill(pid, signal.SIGKILL)
    return pid


async def _back(engine: Engine, dead: int) -> None:
    """Until another server answers at the same URL, and has the data."""
    async with asyncio.timeout(20):
        while True:
            with suppress(RedisError, OSError):
                async with engine.client() as client:
                    assert await client.get("runs") == b"1"
                    if int((await client.info("server"))["process_id"]) != dead:
                        return
            await asyncio.sleep(0.01)  # a real process: nothing to wait on but its socket


async def test_a_dead_engine_is_started_again_on_the_same_data_but_not_for_ever(tmp_path: Path) -> None:
    deaths: list[str] = []
    async with open_engine(tmp_path, ["wheel"]) as engine:
        async with engine.client() as client:
            await client.incr("runs")
        watching = asyncio.ensure_future(engine.watch(deaths.append))
        for n in (1, 2):
            await _back(engine, await _kill(engine))
            assert len(deaths) == n
        last = await _kill(engine)
        with pytest.raises(EngineError, match="died 3 times within a minute"):
            await asyncio.wait_for(watching, 20)
        assert len(deaths) == 2
        assert _gone(last)
    assert not spawned._listens(engine.url.removeprefix("unix://"))
