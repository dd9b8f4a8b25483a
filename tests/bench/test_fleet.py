"""A large fleet on one gateway: a thousand workers that tell of their load each 5 s, and two hundred who follow it."""

import asyncio
import json
import random
import time
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.e2e.fleet import GatewayProcess, running_fleet
from tests.e2e.world import ADMIN, CLIENT, World, many, world_on

pytestmark = pytest.mark.bench

WORKERS, FOLLOWERS, SECONDS = 1_000, 200, 60
EVERY_S = 5.0
AT_ONCE = 40


class Process:
    """The process that serves: granian has one of its own for that."""

    def __init__(self, gateway: GatewayProcess) -> None:
        process = psutil.Process(gateway.process.pid)
        candidates = [process, *process.children(recursive=True)]
        self._process = max(candidates, key=lambda one: one.memory_info().rss)

    def rss_mib(self) -> float:
        return float(self._process.memory_info().rss / (1 << 20))

    def cpu_s(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)


async def opened(url: str, token: str) -> ClientConnection:
    headers = {"Authorization": f"Bearer {token}"}
    return await connect(
        url, additional_headers=headers, proxy=None, ping_interval=None, compression=None, max_size=None
    )


async def work(socket: ClientConnection, offset: float, until: float, answered: list[float]) -> None:
    """A worker that does nothing but tell of its load; how long each answer took goes to `answered`."""
    rng, due = random.Random(offset), time.monotonic() + offset
    while due < until:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        metrics = {"cpu": rng.uniform(0, 100), "memory": rng.uniform(0, 100), "gpu": rng.uniform(0, 100)}
        sent = time.monotonic()
        await socket.send(json.dumps({"type": "heartbeat", "metrics": metrics}))
        answer = json.loads(await socket.recv())
        assert answer["type"] == "pong", answer
        answered.append(time.monotonic() - sent)
        due += EVERY_S


class Follower:
    """Reads `/ws/telemetry`. `came` is when each message did; the text of the last one is kept."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.came: list[float] = []
        self.last = b""

    async def read(self) -> None:
        while True:
            self.last = await self._socket.recv(decode=False)
            self.came.append(time.monotonic())

    async def close(self) -> None:
        await self._socket.close()


def check(followers: Iterable[Follower], began: float, ended: float) -> float:
    """Nobody missed a tick: the longest gap, seconds."""
    longest = 0.0
    for follower in followers:
        came = [at for at in follower.came if began <= at <= ended]
        gaps = [later - earlier for earlier, later in pairwise([began, *came, ended])]
        assert len(came) >= SECONDS / EVERY_S - 1, came
        longest = max(longest, *gaps)
    return longest


async def register(world: World) -> list[str]:
    async def one(number: int) -> str:
        body = {"name": f"w{number}", "transport": "socket", "resources": {"cpu": 8, "memoryMB": 32_768, "gpu": 1}}
        return str((await world.call("POST", "/api/servers", body))["serverId"])

    return await many(WORKERS, one, AT_ONCE)


def fresh(message: bytes) -> None:
    """All workers are in it, with what they said lately."""
    workers: dict[str, Any] = json.loads(message)["workers"]
    said = [worker["last_update"] for worker in workers.values()]
    assert len(workers) == WORKERS
    assert max(said) - min(said) <= 2 * EVERY_S


@pytest.mark.parametrize("engine", ["hypercorn", "granian"])
async def test_nobody_misses_a_tick(engine: str, tmp_path: Path) -> None:
    with running_fleet(tmp_path, gateways=1, servers=0, DISPATCHER_SERVER__ENGINE=engine) as fleet:
        gateway = Process(fleet.gateways[0])
        url = fleet.urls[0].replace("http", "ws", 1)
        async with world_on(fleet) as world:
            names = await register(world)
            sockets = await many(WORKERS, lambda n: opened(f"{url}/api/servers/{names[n]}/socket", ADMIN), AT_ONCE)
            for socket in sockets:
                assert json.loads(await socket.recv())["type"] == "welcome"
            followers = [Follower(await opened(f"{url}/cloudai/ws/telemetry", CLIENT)) for _ in range(FOLLOWERS)]
            answered: list[float] = []
            until = time.monotonic() + SECONDS + 15
            jobs = [asyncio.create_task(work(s, EVERY_S * n / WORKERS, until, answered)) for n, s in enumerate(sockets)]
            reading = [asyncio.create_task(follower.read()) for follower in followers]
            await asyncio.sleep(12)  # two rounds of heartbeats: what opening cost is no part of the figure
            began, cpu, rss = time.monotonic(), gateway.cpu_s(), gateway.rss_mib()
            answered.clear()
            await asyncio.sleep(SECONDS)
            ended, cpu, grown = time.monotonic(), gateway.cpu_s() - cpu, gateway.rss_mib() - rss
            await asyncio.gather(*jobs)
            for task in reading:
                task.cancel()
            await asyncio.gather(*reading, return_exceptions=True)
            longest = check(followers, began, ended)
            await asyncio.gather(*(socket.close() for socket in sockets), *(f.close() for f in followers))
    answered.sort()
    print(
        f"\n{engine}: {WORKERS} workers, {FOLLOWERS} followers, {len(followers[0].last) / 1024:.0f} KiB a message; "
        f"longest gap {longest:.2f} s; heartbeats answered in {answered[len(answered) // 2] * 1e3:.0f} ms (median), "
        f"{answered[-1] * 1e3:.0f} ms (longest); {cpu / (ended - began):.0%} of a core; "
        f"memory {rss:.0f} MiB {grown:+.1f} MiB"
    )
    fresh(followers[0].last)
    assert longest < 7
    assert grown < 16
