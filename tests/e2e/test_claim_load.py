"""Many workers that fetch, by claims and down sockets, whose processes are killed at random: nothing is lost."""

import asyncio
import itertools
import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.e2e import claiming_workers
from tests.e2e.fleet import Fleet, environment, running_fleet
from tests.e2e.test_conservation import the_fleet_agrees
from tests.e2e.test_kills import _new_task
from tests.e2e.world import World, many, until, world_on

pytestmark = pytest.mark.e2e

SETTINGS = {
    "DISPATCHER_DISPATCH__ACCEPTED_LEASE": "2s",
    "DISPATCHER_DISPATCH__LOSSES": "20",  # no task is poison here, however often its worker is killed
    "DISPATCHER_LIMITS__WORKER": "0",
}


class Crew:
    """Worker processes, each with claimers of both kinds, which keep their names when they are started anew."""

    def __init__(self, directory: Path, members: list[list[dict[str, Any]]]) -> None:
        self._members = members
        self._logs = [directory / f"crew-{number}" for number in range(len(members))]
        self._processes = [self._start(number) for number in range(len(members))]
        self.kills = 0

    def kill(self, number: int) -> None:
        self._processes[number].kill()
        self._processes[number].wait()
        self._processes[number] = self._start(number)
        self.kills += 1

    def end(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()

    def noted(self, what: str) -> list[tuple[str, str, str]]:
        """(task, fence, server) of each line."""
        lines = [line.split() for log in self._logs if log.exists() for line in log.read_text().splitlines()]
        return [(task, fence, server) for said, task, fence, server in lines if said == what]

    def _start(self, number: int) -> "subprocess.Popen[str]":
        command = [sys.executable, claiming_workers.__file__, str(self._logs[number])]
        with self._logs[number].with_suffix(".errors").open("a") as errors:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, text=True, env=environment(), stderr=errors)
        assert process.stdin is not None
        json.dump(self._members[number], process.stdin)
        process.stdin.close()
        return process


@contextmanager
def working(fleet: Fleet, members: list[list[dict[str, Any]]], directory: Path) -> Iterator[Crew]:
    crew = Crew(directory, members)
    try:
        yield crew
    finally:
        crew.end()


async def recruit(world: World, processes: int, claimers: int) -> list[list[dict[str, Any]]]:
    """Registered workers, half of each kind, on all gateways in turn; by process."""

    async def one(number: int) -> dict[str, Any]:
        transport = "pull" if number % 2 else "socket"
        body = {"name": f"w{number}", "transport": transport, "maxConcurrent": claiming_workers.SLOTS}
        made = await world.call("POST", "/api/servers", {**body, "capabilities": [world.capability]})
        world.registered.append(made["serverId"])
        gateway = world.fleet.urls[number // 2 % len(world.fleet.urls)]
        return {"id": made["serverId"], "token": made["serverToken"], "gateway": gateway, "transport": transport}

    found = await many(processes * claimers, one, at_once=8)
    return [found[first : first + claimers] for first in range(0, len(found), claimers)]


def cpu_s(fleet: Fleet) -> float:
    times = [psutil.Process(gateway.process.pid).cpu_times() for gateway in fleet.gateways]
    return sum(one.user + one.system for one in times)


async def killing(world: World, crew: Crew, processes: int, every: int) -> None:
    """One process at random, each time that so many tasks more have ended."""
    rng = random.Random(11)
    for count in itertools.count(1):
        await until(lambda: has_ended(world, count * every), f"the end of {count * every} tasks", 500)  # noqa: B023 - at once
        crew.kill(rng.randrange(processes))


@pytest.mark.bench
@pytest.mark.parametrize(("tasks", "processes", "claimers", "every", "gateways"), [(20_000, 10, 10, 400, 3)])
async def test_workers_that_are_killed_lose_nothing(
    tmp_path: Path, tasks: int, processes: int, claimers: int, every: int, gateways: int
) -> None:
    with running_fleet(tmp_path, gateways=gateways, servers=0, **SETTINGS) as fleet:
        async with world_on(fleet) as world:
            members = await recruit(world, processes, claimers)
            with working(fleet, members, tmp_path) as crew:
                began, cpu = time.monotonic(), cpu_s(fleet)
                raiding = asyncio.create_task(killing(world, crew, processes, every))
                created = await many(tasks, lambda _: create(world), at_once=16)
                await until(lambda: has_ended(world, tasks), "the end of all tasks", 500)
                took, used = time.monotonic() - began, cpu_s(fleet) - cpu
                raiding.cancel()
                with suppress(asyncio.CancelledError):
                    await raiding
                given, taken, refused = (crew.noted(what) for what in ("given", "taken", "refused"))
            states = await many(tasks, lambda number: state_of(world, created[number]), at_once=16)
            total = await world.store.stats.totals("native", None)
            print(
                f"\n{tasks} tasks, {processes} x {claimers} workers, {gateways} gateways, {crew.kills} kills: "
                f"{tasks / took:.0f} tasks/s, {used / tasks * 1e6:.0f} us CPU of gateways a task, {len(given)} given, "
                f"{total.attempt_failures} lost and done again, {len(refused)} late words refused"
            )
            assert Counter(states) == {"COMPLETED": tasks}
            assert (total.completed, total.failed, total.cancelled) == (tasks, 0, 0)
            assert crew.kills >= tasks // every - 1
            holders: dict[tuple[str, str], set[str]] = {}
            for task, fence, server in given:
                holders.setdefault((task, fence), set()).add(server)
            assert all(len(servers) == 1 for servers in holders.values()), "one worker under one fence"
            assert len(given) == len(set(given)), "and once"
            assert {task for task, _, _ in given} == set(created)
            assert max(Counter(task for task, _, _ in taken).values()) == 1, "one end of each is taken"
            await until(lambda: nothing_held(world), "free slots", 5)
            await the_fleet_agrees(world)


async def create(world: World) -> str:
    task = _new_task(world)
    await world.store.tasks.create(task, gateway="gw_test")
    return task.id


async def has_ended(world: World, tasks: int) -> bool:
    await asyncio.sleep(0.1)  # asked less often
    total = await world.store.stats.totals("native", None)
    return total.completed + total.failed + total.cancelled >= tasks


async def state_of(world: World, task_id: str) -> str:
    task, _ = await world.store.tasks.get(task_id)
    assert task is not None
    return str(task.state)


async def nothing_held(world: World) -> bool:
    return all(server.active == 0 for server in await world.store.servers.all())
