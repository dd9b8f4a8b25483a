"""Models and tasks take turns on workers: what is held is the sum of what runs and what is in memory."""

import contextlib
import random

from dispatcher.domain.errors import Conflict, NotFound
from dispatcher.domain.grant import Grant, Granted
from dispatcher.domain.placement import PlacementStatus
from dispatcher.domain.resources import Resources
from tests.store.backends import many_calls
from tests.store.world import World, done

GB = 1 << 30
LOADING, LOADED, UNLOADING = PlacementStatus.LOADING, PlacementStatus.LOADED, PlacementStatus.UNLOADING


def gb(amount: int) -> Resources:
    return Resources(memory=amount * GB)


@many_calls
async def test_what_is_held_is_what_runs_and_what_is_in_memory(world: World) -> None:
    """A random history: the sum agrees after every step, and never exceeds the totals."""
    rng = random.Random(5)
    for server_id in ("s1", "s2"):
        await world.given_server(server_id, resources=gb(24), max_concurrent=9)
    await world.given_server("elsewhere")
    for model, size in (("a", 4), ("b", 8), ("c", 12)):  # their sizes become known elsewhere
        await world.store.placements.loaded("elsewhere", model, gb(size), 1)
    grants: dict[str, list[tuple[Grant, int]]] = {"s1": [], "s2": []}
    for _ in range(120):
        server_id, model = rng.choice(["s1", "s2"]), rng.choice("abc")
        await step(world, rng, server_id, model, grants[server_id])
        in_memory = (LOADING, LOADED, UNLOADING)
        placed = [p.memory for p in await world.store.placements.find([server_id]) if p.status in in_memory]
        taken = sum(placed) + sum(size * GB for _, size in grants[server_id])
        assert (await world.store.servers.get(server_id)).allocated == Resources(memory=taken)
        assert taken <= 24 * GB


async def step(world: World, rng: random.Random, server_id: str, model: str, grants: list[tuple[Grant, int]]) -> None:
    store = world.store.placements
    match rng.randrange(7):
        case 0 | 1:
            with contextlib.suppress(Conflict):
                priority = rng.randrange(3)
                await store.assign(model, [server_id], assignment="a", preload=True, priority=priority)
            for placement in await store.find([server_id]):
                await store.begin_load(server_id, placement.model)
        case 2:
            for placement in await store.find([server_id], model):
                if placement.status is LOADING and rng.random() < 0.7:
                    await store.loaded(server_id, model, placement.takes, 1)
                else:
                    await store.failed(server_id, model, "x")
        case 3:
            with contextlib.suppress(Conflict, NotFound):
                if await store.begin_unload(server_id, model) is not None and rng.random() < 0.7:
                    await store.unloaded(server_id, model)
        case 4 | 5:
            size, task_id = rng.randint(1, 9), world.fresh("t")
            await world.given_task(task_id, needs=gb(size))
            answer = await world.claim(task_id, server_id)
            if isinstance(answer, Granted):
                grants.append((answer.grant, size))
            else:
                await world.store.tasks.cancel(task_id, origin="native", owner=None)
        case 6:
            if grants:
                await world.end(grants.pop(rng.randrange(len(grants)))[0], done())
