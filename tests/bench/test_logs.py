"""What lines of logs cost one gateway: taken in, and sent to followers. Every line is checked: none lost, none twice,
none out of order.
"""

import asyncio
import json
import socket
import time
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from tests.bench.test_gateway import VARIANTS, cpu_s
from tests.e2e.fleet import Fleet, running_fleet
from tests.e2e.world import CLIENT, World, world_on

TASKS, SECONDS = 20, 5
BURST = 30_000  # 5 MB on the wire
STALL_S = 10  # for so long a reader may take nothing; its last words may take as long
TEXT = "epoch 12 step 3456 loss=0.1234 accuracy=0.9876 lr=1e-4 eta=00:12:34"


class Talker:
    """The worker of one task: it claims it, and says `per_second` lines in ten batches a second."""

    def __init__(self, world: World, claim: dict[str, Any]) -> None:
        self._world = world
        self.task_id: str = claim["taskId"]
        self._token: str = claim["callbackToken"]
        self.said = 0

    async def say(self, count: int) -> None:
        body = {"first": self.said + 1, "lines": [{"text": f"{self.said + n + 1} {TEXT}"} for n in range(count)]}
        await self._world.call("POST", f"/api/task/{self.task_id}/logs", body, bearer=self._token)
        self.said += count

    async def talk(self, per_second: int) -> None:
        began = time.monotonic()
        for tenth in range(SECONDS * 10):
            await asyncio.sleep(max(0.0, began + tenth / 10 - time.monotonic()))
            await self.say(per_second // 10)

    async def end(self) -> None:
        await self._world.call("PUT", f"/api/task/{self.task_id}", {"status": "COMPLETED"}, bearer=self._token)


async def talkers(world: World) -> list[Talker]:
    body = {"name": "w", "transport": "pull", "maxConcurrent": TASKS, "capabilities": [world.capability]}
    server_id = (await world.call("POST", "/api/servers", body))["serverId"]
    for _ in range(TASKS):
        await world.create()
    claims = [await world.call("POST", f"/api/servers/{server_id}/claim", {"wait": 5}) for _ in range(TASKS)]
    return [Talker(world, claim) for claim in claims]


async def follow(world: World, task_id: str) -> int:
    """Read the stream to its end; answers how many lines came."""
    count, rest = 0, b""
    url = f"{world.fleet.urls[0]}/api/task/{task_id}/logs/stream"
    async with world.http.get(
        url, headers={"Authorization": f"Bearer {CLIENT}"}, timeout=aiohttp.ClientTimeout(total=None)
    ) as answer:
        assert answer.status == 200
        async for chunk in answer.content.iter_any():
            *events, rest = (rest + chunk).split(b"\n\n")
            for event in events:
                if event.startswith(b"event: "):
                    assert event.startswith(b"event: end\n"), event
                    return count
                if event.startswith(b"id: "):
                    count += 1
                    line = json.loads(event.partition(b"data: ")[2])
                    assert (line["seq"], line["text"]) == (count, f"{count} {TEXT}")
    raise AssertionError("the stream broke off")


@pytest.mark.bench
@pytest.mark.parametrize("variant", VARIANTS)
async def test_lines_taken_in(variant: str, tmp_path: Path) -> None:
    """As fast as it goes: batches of 200 lines."""
    with running_fleet(tmp_path, gateways=1, servers=1, **VARIANTS[variant]) as fleet:
        gateway = psutil.Process(fleet.gateways[0].process.pid)
        async with world_on(fleet) as world:
            some = await talkers(world)
            before, began = cpu_s(gateway), time.monotonic()

            async def speak(talker: Talker) -> None:
                for _ in range(25):
                    await talker.say(200)

            await asyncio.gather(*map(speak, some))
            lines, seconds = 25 * 200 * TASKS, time.monotonic() - began
            cpu = (cpu_s(gateway) - before) / lines * 1e6
            assert sum(talker.said for talker in some) == lines
    print(f"\n{variant}: {lines / seconds:,.0f} lines/s taken in, {cpu:.1f} us CPU per line of the gateway")


@pytest.mark.bench
@pytest.mark.parametrize("variant", VARIANTS)
async def test_lines_followed(variant: str, tmp_path: Path) -> None:
    """20 tasks that say 500 lines/s each, and a follower of each of them."""
    with running_fleet(tmp_path, gateways=1, servers=1, **VARIANTS[variant]) as fleet:
        gateway = psutil.Process(fleet.gateways[0].process.pid)
        async with world_on(fleet) as world:
            some = await talkers(world)
            following = [asyncio.create_task(follow(world, talker.task_id)) for talker in some]
            before, began = cpu_s(gateway), time.monotonic()
            await asyncio.gather(*(talker.talk(500) for talker in some))
            seconds = time.monotonic() - began
            await asyncio.gather(*(talker.end() for talker in some))
            counts = await asyncio.gather(*following)
            cpu = cpu_s(gateway) - before
    lines = 500 * SECONDS * TASKS
    assert counts == [500 * SECONDS] * TASKS
    print(
        f"\n{variant}: {lines / seconds:,.0f} lines/s taken in and sent to {TASKS} followers, "
        f"{cpu / lines * 1e6:.1f} us CPU per line, {cpu / seconds:.0%} of a core"
    )


class Sleeper:
    """A follower that reads nothing until it is asked to."""

    def __init__(self, fleet: Fleet, task_id: str) -> None:
        host, _, port = fleet.urls[0].removeprefix("http://").partition(":")
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_192)
        self._socket.connect((host, int(port)))
        head = f"GET /api/task/{task_id}/logs/stream HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {CLIENT}\r\n\r\n"
        self._socket.sendall(head.encode())

    def read(self) -> list[int]:
        """All that was sent, to the end of the connection: the numbers of the lines."""
        self._socket.settimeout(30)
        with self._socket, self._socket.makefile("rb") as file:
            text = file.read()
        assert b"event: end" not in text
        self.told = b"TOO_SLOW" in text
        return [int(line[4:]) for line in text.split(b"\n") if line.startswith(b"id: ")]


@pytest.mark.bench
@pytest.mark.parametrize("variant", VARIANTS)
async def test_bursts_followed(variant: str, tmp_path: Path) -> None:
    """Far more lines at once than a gateway holds and its connections take: 20 followers of two tasks lose none. One
    that takes nothing is let go; what it was sent is in order."""
    with running_fleet(tmp_path, gateways=1, servers=1, **VARIANTS[variant]) as fleet:
        gateway = psutil.Process(fleet.gateways[0].process.pid)
        async with world_on(fleet) as world:
            some = (await talkers(world))[:3]
            sleeper = Sleeper(fleet, some[0].task_id)
            followed = some[1:] * 10
            following = [asyncio.create_task(follow(world, talker.task_id)) for talker in followed]
            rss, began, cpu = gateway.memory_info().rss, time.monotonic(), cpu_s(gateway)

            async def speak(talker: Talker) -> None:
                for _ in range(BURST // 1_000):
                    await talker.say(1_000)

            await asyncio.gather(*map(speak, some))
            await asyncio.gather(*(talker.end() for talker in some[1:]))
            assert await asyncio.gather(*following) == [BURST] * len(followed)
            seconds, grown = time.monotonic() - began, (gateway.memory_info().rss - rss) / (1 << 20)
            cpu = cpu_s(gateway) - cpu
            await asyncio.sleep(max(0.0, began + 2 * STALL_S + 5 - time.monotonic()))
            seen = await asyncio.to_thread(sleeper.read)
            assert seen == list(range(1, len(seen) + 1))
            assert len(seen) < BURST
    print(
        f"\n{variant}: a burst of {BURST:,} lines to each of {len(followed)} followers in {seconds:.1f} s, "
        f"{cpu:.1f} s CPU, {grown:+.0f} MiB; one that takes nothing let go after {len(seen):,} lines"
        f"{', and told' if sleeper.told else ''}"
    )
