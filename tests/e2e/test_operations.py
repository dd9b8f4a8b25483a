"""What an operator does to a working fleet reaches every gateway within a second."""

import asyncio
import time
from collections.abc import AsyncIterator, Sized
from contextlib import asynccontextmanager

import pytest

from tests.e2e.world import Gpu, World, until

pytestmark = pytest.mark.e2e


@asynccontextmanager
async def _traffic(world: World, **fields: str) -> AsyncIterator[list[dict[str, object]]]:
    """Tasks through all gateways meanwhile; what they were answered."""
    answers: list[dict[str, object]] = []
    stop = asyncio.Event()

    async def send() -> None:
        while not stop.is_set():
            answers.append(await world.run(**fields))

    senders = [asyncio.create_task(send()) for _ in range(9)]
    try:
        yield answers
    finally:
        stop.set()
        await asyncio.gather(*senders)


async def _has(answers: Sized, count: int) -> bool:
    return len(answers) >= count


async def _called(server: Gpu, count: int) -> bool:
    return len(await server.calls()) >= count


async def test_maintenance_stops_new_work_and_lets_running_work_end(world: World) -> None:
    await world.algorithm("round-robin")
    resting, other = await world.servers(2)
    for server in (resting, other):
        await server.set(latency=0.1)
    async with _traffic(world) as answers:
        await resting.until_open(3)
        await world.maintenance(resting, True, via=0)
        said_at = time.time()
        await asyncio.sleep(1.5)  # that nothing comes shows only in time: the promised second and a half one more
        last = max(call["at"] for call in await resting.calls()) - said_at
        before = len(await resting.calls())
        await world.maintenance(resting, False, via=1)
        back_at = time.time()
        await until(lambda: _called(resting, before + 1), "new work after maintenance")
        back = (await resting.calls())[before]["at"] - back_at
    print(f"\nmaintenance: last call {last * 1000:+.0f} ms after the answer, back {back * 1000:+.0f} ms after its end")
    assert last <= 1.0
    assert {answer["status"] for answer in answers} == {"COMPLETED"}
    assert {answer["attempt"] for answer in answers} == {1}, "running work ended normally"


async def test_a_switch_of_the_algorithm_reaches_every_gateway(world: World) -> None:
    await world.algorithm("round-robin")
    await world.servers(4)
    async with _traffic(world, affinity="one-place") as answers:
        await until(lambda: _has(answers, 30), "traffic")
        await world.algorithm("rendezvous-hash", via=1)
        switched = time.monotonic()
        said = [(await world.call("GET", "/api/stats/load-balancer", via=n))["algorithm"] for n in range(3)]
        await asyncio.sleep(max(0.0, switched + 1 - time.monotonic()))
        spread, since = {answer["serverId"] for answer in answers[:30]}, len(answers) + 9
        await until(lambda: _has(answers, since + 60), "traffic")
    after = {answer["serverId"] for answer in answers[since:]}
    print(f"\nswitch: said by the gateways {said}; servers used before {len(spread)}, from a second later {len(after)}")
    assert said == ["rendezvous-hash"] * 3
    assert len(spread) == 4
    assert len(after) == 1, "tasks of one affinity go to one server on all gateways"
    await world.algorithm("round-robin")


async def test_work_of_an_unregistered_server_ends_elsewhere(world: World) -> None:
    leaving = await world.register(0)
    await leaving.set(latency=3)
    tasks = [await world.create() for _ in range(6)]
    await leaving.until_open(6)
    staying = await world.register(1)
    await world.unregister(leaving.id)
    ends = [await world.ended(task) for task in tasks]
    print(f"\nunregister: attempts {[a['status'] for a in ends[0]['attempts']]}")
    assert {(end["status"], end["serverId"], end["failures"]) for end in ends} == {("COMPLETED", staying.id, 0)}
    await asyncio.sleep(max(0.0, (await leaving.calls())[-1]["at"] + 3.3 - time.time()))  # its late answers
    again = [await world.task(task) for task in tasks]
    assert [(task["serverId"], task["result"]) for task in again] == [(e["serverId"], e["result"]) for e in ends]
    for number in range(3):
        seen = await world.call("GET", "/api/stats/load-balancer", via=number)
        assert leaving.id not in seen["serverDistribution"]
