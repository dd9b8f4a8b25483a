"""Tasks that bring their model into memory by themselves: its room is theirs from their start on."""

from dataclasses import replace

import pytest

from dispatcher.domain.errors import Conflict
from dispatcher.domain.failure import Outcome, Verdict
from dispatcher.domain.grant import Grant
from dispatcher.domain.placement import PlacementStatus
from dispatcher.domain.resources import NOTHING, Resources
from tests.store.loading import GB, ask, end, gb, given_task, given_worker, held, known, placed, started, status
from tests.store.world import GATEWAY, World

ASSIGNED, QUEUED, LOADING, LOADED, UNLOADING, FAILED = PlacementStatus


async def test_the_model_s_room_is_held_from_the_start_of_its_task(world: World) -> None:
    await given_worker(world)
    await known(world, "m", gb(16))
    await started(world, "t1", needs=gb(2))
    assert (await status(world), await held(world)) == (LOADING, gb(18))
    await given_task(world, "t2", "n", needs=gb(7))
    assert await ask(world) is None, "what the model takes is not there"
    await started(world, "t3", needs=gb(6))
    assert await held(world) == gb(24), "the same model once"
    loaded = await world.store.placements.loaded("w", "m", gb(15), 5)
    assert (loaded.status, loaded.assignment, await held(world)) == (LOADED, "", gb(23)), "as measured"


async def test_a_task_waits_where_its_model_does_not_fit(world: World) -> None:
    await given_worker(world)
    await known(world, "m", gb(16))
    await known(world, "n", gb(9))
    await started(world, "t1")
    await given_task(world, "t2", "n")
    assert await ask(world) is None
    await given_worker(world, "other")
    grant = await ask(world, "other")
    assert grant is not None
    assert grant.task_id == "t2"


async def test_a_model_of_unknown_size_has_all_that_is_left_until_it_is_measured(world: World) -> None:
    await given_worker(world, totals=Resources(cpu=4, memory=24 * GB, gpu_memory=8 * GB))
    await started(world, "t1", needs=gb(4))
    assert await held(world) == Resources(memory=24 * GB, gpu_memory=8 * GB)
    await given_task(world, "t2", "n")
    assert await ask(world) is None
    await world.store.placements.loaded("w", "m", gb(6), 5)
    assert await held(world) == gb(10)
    assert await ask(world) is not None


async def test_a_load_on_command_of_unknown_size_has_it_too(world: World) -> None:
    await given_worker(world)
    await world.store.placements.assign("m", ["w"], assignment="a", preload=True, priority=50)
    assert (await world.store.placements.begin_load("w", "m")).takes == gb(24)
    await given_task(world, "t1", "n", needs=gb(1))
    assert await ask(world) is None
    left = await world.store.placements.failed("w", "m", "broken")
    assert (left.takes, await held(world)) == (NOTHING, NOTHING)


@pytest.mark.parametrize("verdict", [Verdict.FAILURE, Verdict.RELEASED, Verdict.COMPLETED])
async def test_the_room_of_a_load_that_came_to_nothing_is_free_with_the_attempt(world: World, verdict: Verdict) -> None:
    await given_worker(world)
    await known(world, "m", gb(16))
    first, second = await started(world, "t1"), await started(world, "t2")
    await end(world, first, Outcome(verdict))
    assert (await status(world), await held(world)) == (LOADING, gb(16)), "the other one goes on"
    await end(world, second, Outcome(verdict))
    assert (await status(world), await held(world)) == (None, NOTHING)


async def test_a_lease_that_ran_out_ends_the_load(world: World) -> None:
    await given_worker(world)
    await started(world, "t1")
    await world.advance(30_001)
    await world.store.tasks.tick(gateway=GATEWAY)
    assert (await status(world), await held(world)) == (None, NOTHING)


async def test_what_was_assigned_is_so_again(world: World) -> None:
    await given_worker(world)
    await known(world, "m", gb(16))
    assign = world.store.placements.assign
    (before,) = await assign("m", ["w"], assignment="a", preload=False, priority=7)
    grant = await started(world, "t1")
    assert await status(world) is LOADING
    await end(world, grant, Outcome(Verdict.FAILURE))
    assert (await placed(world), await held(world)) == (replace(before, last_used_ms=world.now), NOTHING)


async def test_a_load_on_command_joins_the_one_for_a_task(world: World) -> None:
    await given_worker(world)
    grant = await started(world, "t1")
    assign = world.store.placements.assign
    (found,) = await assign("m", ["w"], assignment="a", preload=True, priority=7)
    assert (found.status, found.assignment, found.preload, found.priority) == (LOADING, "a", True, 7)
    await world.store.placements.failed("w", "m", "broken")
    assert (await status(world), await held(world)) == (LOADING, gb(24)), "the task goes on loading it"
    await end(world, grant, Outcome(Verdict.FAILURE))
    left = await placed(world)
    assert left is not None
    assert (left.status, left.error, await held(world)) == (FAILED, "broken", NOTHING)


async def test_a_model_that_a_task_loaded_is_kept_once_it_is_assigned(world: World) -> None:
    await given_worker(world)
    await world.store.placements.loaded("w", "m", gb(1), 1)
    (found,) = await world.store.placements.assign("m", ["w"], assignment="a", preload=True, priority=7)
    assert (found.status, found.assignment, found.preload, found.priority) == (LOADED, "a", True, 7)


async def test_what_did_not_fit_has_to_go_before_it_is_loaded_again(world: World) -> None:
    await given_worker(world)
    grant = await started(world, "t1")
    with pytest.raises(Conflict):
        await world.store.placements.loaded("w", "m", gb(25), 1)
    assert (await status(world), await held(world)) == (FAILED, gb(24))
    await end(world, grant)
    await given_task(world, "t2")
    assert (await ask(world), await held(world)) == (None, gb(24)), "it is in memory still"
    await world.store.placements.unloaded("w", "m")
    assert (await ask(world), await held(world)) == (None, NOTHING), "it is known not to fit"


async def test_a_model_that_is_being_unloaded_is_waited_for(world: World) -> None:
    await given_worker(world)
    await world.store.placements.loaded("w", "m", gb(6), 1)
    await world.store.placements.begin_unload("w", "m")
    await given_task(world, "t1")
    assert await ask(world) is None
    await world.store.placements.unloaded("w", "m")
    assert await ask(world) is not None
    assert await held(world) == gb(6)


async def test_a_task_that_started_with_it_loads_it_again(world: World) -> None:
    """Its unload was under way; or its process died."""
    await given_worker(world)
    await world.store.placements.loaded("w", "m", gb(6), 1)
    grant = await started(world, "t1")
    await world.store.placements.begin_unload("w", "m")
    await world.store.placements.unloaded("w", "m")
    assert (await status(world), await held(world)) == (LOADING, gb(6))
    await world.store.placements.unloaded("w", "m")
    assert await status(world) is LOADING
    await end(world, grant)
    assert (await status(world), await held(world)) == (None, NOTHING)


async def test_nothing_is_in_the_memory_of_a_worker_that_left_or_started_anew(world: World) -> None:
    await given_worker(world)
    await world.store.servers.connect("w", "s1", GATEWAY)
    await world.beat("w", boot_id="b1")
    for leave in (lambda: world.store.servers.disconnect("w", "s1", left=True), lambda: world.beat("w", boot_id="b2")):
        await world.store.placements.loaded("w", "m", gb(6), 1)
        await world.store.placements.assign("n", ["w"], assignment="a", preload=True, priority=7)
        await world.store.placements.loaded("w", "n", gb(6), 1)
        assert await held(world) == gb(12)
        await leave()
        assert (await status(world, "m"), await status(world, "n"), await held(world)) == (None, ASSIGNED, NOTHING)


async def test_workers_that_tell_of_no_models_hold_none(world: World) -> None:
    await given_worker(world, models=())
    await started(world, "t1")
    assert (await status(world), await held(world)) == (None, NOTHING)


async def test_each_rank_of_a_gang_loads_it(world: World) -> None:
    await world.store.coordination.presence(GATEWAY)
    for name in ("w", "v"):
        await given_worker(world, name)
        await world.store.servers.connect(name, f"s-{name}", GATEWAY)
    await known(world, "m", gb(16))
    await given_task(world, "t1", needs=gb(1), gang=2)

    async def wait(name: str) -> Grant | None:
        return await world.store.tasks.claim_next(
            name, claim_id=world.fresh("c"), nonce="n", gateway=GATEWAY, lease_ms=9_000, session=f"s-{name}"
        )

    assert await wait("v") is None
    assert await wait("w") is not None
    assert await wait("v") is not None
    for name in ("w", "v"):
        assert (await world.store.servers.get(name)).allocated == gb(17)
