"""A task that finds no room has idle models unloaded that only tasks have brought there."""

import json

from dispatcher.domain.placement import MODELS_MOST, PlacementStatus
from dispatcher.domain.resources import NOTHING
from tests.store.loading import ask, end, gb, given_task, given_worker, held, known, started, status
from tests.store.world import World

LOADED, UNLOADING = PlacementStatus.LOADED, PlacementStatus.UNLOADING
IDLE_MS = 30_000


async def told(world: World) -> list[str]:
    """The models that the worker is to unload."""
    pending = await world.store.commands.pending("w")
    assert {command.verb for command in pending} <= {"model.unload"}
    assert all(json.loads(command.args)["when_idle"] for command in pending)
    return [json.loads(command.args)["model"] for command in pending]


async def used(world: World, model: str, size: int) -> None:
    """A task has brought it there, and has ended."""
    grant = await started(world, world.fresh("used"), model)
    await world.store.placements.loaded("w", model, gb(size), 1)
    await end(world, grant)


async def test_an_idle_model_gives_way(world: World) -> None:
    await given_worker(world)
    await known(world, "n", gb(16))
    await used(world, "m", 16)
    await world.advance(IDLE_MS)
    await given_task(world, "t1", "n")
    assert (await ask(world), await told(world)) == (None, []), "it was used a moment ago"
    await world.advance(1)
    for _ in range(2):
        assert await ask(world) is None
        assert (await status(world), await told(world), await held(world)) == (UNLOADING, ["m"], gb(16))
    await world.store.placements.unloaded("w", "m")
    grant = await ask(world)
    assert grant is not None
    assert (grant.task_id, await held(world)) == ("t1", gb(16))


async def test_it_gives_way_to_what_a_task_needs_too(world: World) -> None:
    await given_worker(world)
    await used(world, "m", 16)
    await world.advance(IDLE_MS + 1)
    await world.given_task("t1", needs=gb(9))
    assert (await ask(world), await told(world)) == (None, ["m"])


async def test_what_is_assigned_or_in_use_stays(world: World) -> None:
    await given_worker(world)
    await used(world, "m", 8)
    await started(world, "t1", "n", needs=NOTHING)
    await world.store.placements.loaded("w", "n", gb(8), 1)
    await world.store.placements.assign("m", ["w"], assignment="a", preload=False, priority=1)
    await world.advance(IDLE_MS + 1)
    await world.given_task("t2", needs=gb(9))
    assert (await ask(world), await told(world)) == (None, [])
    assert (await status(world, "m"), await status(world, "n")) == (LOADED, LOADED)


async def test_no_more_go_than_have_to_the_longest_unused_first_and_none_in_vain(world: World) -> None:
    await given_worker(world)
    for model in ("m", "n"):
        await used(world, model, 8)
        await world.advance(1)
    await used(world, "m", 8)
    await world.advance(IDLE_MS + 1)
    await started(world, "t0", "", needs=gb(1))
    await given_task(world, "huge", "", needs=gb(24))
    assert (await ask(world), await told(world)) == (None, [])
    await world.store.tasks.cancel("huge", origin="native", owner=None)
    await given_task(world, "t1", "", needs=gb(14))
    assert (await ask(world), await told(world)) == (None, ["n"])


async def test_one_of_too_many_goes(world: World) -> None:
    many = [f"m{n:02}" for n in range(MODELS_MOST)]
    await given_worker(world, models=("n", *many))
    for model in many:
        await world.store.placements.loaded("w", model, NOTHING, 1)
    await given_task(world, "t1", "n")
    assert (await ask(world), await told(world)) == (None, ["m00"])
    await world.store.placements.unloaded("w", "m00")
    assert await ask(world) is not None
