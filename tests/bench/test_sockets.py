"""What the sockets of workers cost one gateway process, and that what they may do to it is bounded.

Idle: a thousand workers that wait for work: memory for each, CPU and calls of the store in a second of waiting.
Churn: connections that come and go leave nothing behind. Limits: each closes the socket, and memory stays flat.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from redis.asyncio import Redis
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.e2e.fleet import GatewayProcess, running_fleet, token
from tests.e2e.world import ADMIN, World, many, world_on

pytestmark = pytest.mark.bench

SOCKETS, CHURN, AT_ONCE = 1_000, 5_000, 40
IDLE_S = 10.0
ENGINES = ("hypercorn", "granian")


@dataclass
class Gateway:
    process: psutil.Process
    world: World
    redis: "Redis"
    url: str
    engine: str

    def rss_kib(self) -> float:
        return float(self.process.memory_info().rss / 1024)

    def cpu_s(self) -> float:
        times = self.process.cpu_times()
        return float(times.user + times.system)

    async def scripts(self) -> int:
        """Calls of scripts so far."""
        stats: Any = await self.redis.info("commandstats")
        return int(stats.get("cmdstat_evalsha", {"calls": 0})["calls"])


@pytest.fixture
async def gateway(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Gateway]:
    with running_fleet(tmp_path, gateways=1, servers=0, DISPATCHER_SERVER__ENGINE=request.param) as fleet:
        (process,) = fleet.gateways
        async with world_on(fleet) as world, Redis.from_url(fleet.redis_url, decode_responses=True) as redis:
            yield Gateway(_serving(process), world, redis, process.url.replace("http", "ws"), request.param)
            world.registered.clear()


def _serving(gateway: GatewayProcess) -> psutil.Process:
    """The process that serves: granian has one of its own for that."""
    process = psutil.Process(gateway.process.pid)
    return max([process, *process.children(recursive=True)], key=lambda one: one.memory_info().rss)


async def native(gateway: Gateway, server_id: str) -> ClientConnection:
    headers = {"Authorization": f"Bearer {ADMIN}"}
    url = f"{gateway.url}/api/servers/{server_id}/socket"
    socket = await connect(url, additional_headers=headers, proxy=None, ping_interval=None, compression=None)
    await socket.recv()
    return socket


async def farm(gateway: Gateway, name: str) -> ClientConnection:
    headers = {"Authorization": f"Bearer {FARM}", "Client-ID": name}
    url = f"{gateway.url}/farm"
    return await connect(url, additional_headers=headers, proxy=None, ping_interval=None, compression=None)


FARM = token("machines", "server")
OPEN = {"native": native, "farm": farm}
ASK = {"native": {"type": "ready", "slots": 1}, "farm": {"type": "task_request"}}


async def names(gateway: Gateway, kind: str, count: int) -> list[str]:
    if kind == "farm":
        return [f"machine-{number}" for number in range(count)]

    async def register(number: int) -> str:
        body = {"name": f"w{number}", "transport": "socket"}
        return str((await gateway.world.call("POST", "/api/servers", body))["serverId"])

    return await many(count, register, AT_ONCE)


@pytest.mark.parametrize("gateway", ENGINES, indirect=True)
@pytest.mark.parametrize("kind", OPEN)
async def test_a_thousand_idle_sockets(gateway: Gateway, kind: str) -> None:
    workers = await names(gateway, kind, SOCKETS)
    for name in workers[:50]:
        await (await OPEN[kind](gateway, name)).close()
    await asyncio.sleep(1)  # a measurement: the gateway lets go of the ones that closed
    before = gateway.rss_kib()
    opened_at = time.monotonic()
    sockets = await many(SOCKETS, lambda number: OPEN[kind](gateway, workers[number]), AT_ONCE)
    opening_s = time.monotonic() - opened_at
    for socket in sockets:
        await socket.send(json.dumps(ASK[kind]))
    await asyncio.sleep(3)  # until all wait
    after, cpu, calls = gateway.rss_kib(), gateway.cpu_s(), await gateway.scripts()
    await asyncio.sleep(IDLE_S)
    cpu, calls = gateway.cpu_s() - cpu, await gateway.scripts() - calls
    grown = gateway.rss_kib() - after
    extra = await OPEN[kind](gateway, workers[0])
    with pytest.raises(ConnectionClosed) as refused:
        await extra.recv()
    assert refused.value.rcvd is not None
    print(
        f"\n{kind}, {gateway.engine}: {SOCKETS} sockets opened in {opening_s:.1f} s, "
        f"{(after - before) / SOCKETS:.1f} KiB each; idle: {cpu / IDLE_S * 100:.1f} % CPU, "
        f"{calls / IDLE_S:.0f} scripts/s, {grown:+.0f} KiB in {IDLE_S:g} s; "
        f"one more is closed with {refused.value.rcvd.code}"
    )
    await asyncio.gather(*(socket.close() for socket in sockets))
    assert refused.value.rcvd.code == 1008
    assert calls / IDLE_S <= 110, "the looks of those that wait are bounded for a gateway"
    assert cpu / IDLE_S < 0.5
    assert (after - before) / SOCKETS < 150
    assert grown < 3_000


@pytest.mark.parametrize("gateway", ENGINES, indirect=True)
async def test_what_comes_and_goes_leaves_nothing(gateway: Gateway) -> None:
    workers = await names(gateway, "native", AT_ONCE)

    async def visit(number: int) -> None:
        worker = workers.pop()  # nobody else's for the moment, or the newer connection would replace this one
        socket = await native(gateway, worker)
        await socket.send(json.dumps(ASK["native"]))
        if number % 2:
            await socket.close()
        else:
            socket.transport.abort()  # without a word
        workers.append(worker)

    rates = []
    for count in (2_000, CHURN):
        began, cpu = time.monotonic(), gateway.cpu_s()
        before = gateway.rss_kib()
        await many(count, visit, AT_ONCE)
        rates.append((count / (time.monotonic() - began), (gateway.cpu_s() - cpu) / count * 1e6))
        await asyncio.sleep(1)  # as above
        grown = gateway.rss_kib() - before
    print(
        f"\n{gateway.engine}: {CHURN} connections came and went, {rates[-1][0]:.0f}/s, "
        f"{rates[-1][1]:.0f} us CPU each; memory {before / 1024:.1f} MiB {grown:+.0f} KiB"
    )
    assert grown < 6_000
    assert len(gateway.process.net_connections("tcp")) < 2 * AT_ONCE


@pytest.mark.parametrize("gateway", ["hypercorn"], indirect=True)  # granian may cut off a flood without a code
@pytest.mark.parametrize("kind", OPEN)
async def test_limits_close_and_memory_stays_flat(gateway: Gateway, kind: str) -> None:
    (name,) = await names(gateway, kind, 1)
    found: dict[str, set[int]] = {"too large": set(), "too fast": set()}

    async def until_closed(messages: list[str]) -> int:
        socket = await OPEN[kind](gateway, name)
        with suppress(ConnectionClosed):
            for message in messages:
                await socket.send(message)
            async with asyncio.timeout(30):
                while True:
                    await socket.recv()
        assert socket.close_code is not None
        return socket.close_code

    growth = {}
    for what, messages, times in (
        ("too large", ['{"type":"heartbeat","x":"' + "x" * 1_100_000 + '"}'], 60),
        ("too fast", ['{"type":"ping"}'] * 5_000, 20),
    ):
        for _ in range(2):
            before = gateway.rss_kib()
            for _ in range(times):
                found[what].add(await until_closed(messages))
        growth[what] = gateway.rss_kib() - before
    print(f"\n{kind}, {gateway.engine}: closed with {found}; memory {growth} KiB")
    assert found["too large"] == {1008 if kind == "farm" else 1009}
    assert found["too fast"] == {1008}
    assert max(growth.values()) < 8_000
