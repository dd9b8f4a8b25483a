"""Models on workers: loaded one at a time, and held against the same room as what tasks take."""

from collections.abc import Sequence

import pytest

from dispatcher.domain.errors import Conflict, NotFound
from dispatcher.domain.grant import Full
from dispatcher.domain.operation import NewOperation, NewStep, OperationKind
from dispatcher.domain.placement import MODELS_MOST, ModelSize, Placement, PlacementStatus
from dispatcher.domain.resources import NOTHING, Resources
from tests.store.world import World, done

GB = 1 << 30
ASSIGNED, QUEUED, LOADING, LOADED, UNLOADING, FAILED = PlacementStatus


def gb(amount: int) -> Resources:
    return Resources(memory=amount * GB)


async def fleet(world: World, *names: str, totals: Resources | None = None) -> None:
    for name in names or ("s1", "s2"):
        await world.given_server(name, resources=totals, max_concurrent=9)


async def put(
    world: World, model: str, servers: Sequence[str] = ("s1",), *, preload: bool = True, priority: int = 50
) -> list[Placement]:
    return await world.store.placements.assign(
        model, servers, assignment=f"a_{model}", preload=preload, priority=priority
    )


async def load(world: World, model: str, takes: Resources, server_id: str = "s1") -> Placement:
    """Assigned, begun and done."""
    await put(world, model, [server_id])
    assert (await world.store.placements.begin_load(server_id, model)).status is LOADING
    return await world.store.placements.loaded(server_id, model, takes, 45_000)


async def loaded(world: World, model: str, takes: Resources) -> Placement:
    return await world.store.placements.loaded("s1", model, takes, 45_000)


async def status(world: World, model: str, server_id: str = "s1") -> PlacementStatus | None:
    found = await world.store.placements.find([server_id], model)
    return found[0].status if found else None


async def held(world: World, server_id: str = "s1") -> Resources:
    return (await world.store.servers.get(server_id)).allocated


async def refused(code: str, world: World, model: str, servers: Sequence[str] = ("s1",)) -> None:
    before = await world.store.placements.find()
    with pytest.raises(Conflict) as error:
        await put(world, model, servers)
    assert error.value.code == code
    assert await world.store.placements.find() == before


async def test_a_model_goes_to_all_of_its_workers_or_to_none(world: World) -> None:
    await fleet(world)
    with pytest.raises(NotFound):
        await put(world, "m", ["s1", "nobody"])
    assert await world.store.placements.find() == []
    found = await put(world, "m", ["s2", "s1"], priority=80)
    assert found == [Placement("m", name, QUEUED, "a_m", True, 80) for name in ("s2", "s1")]
    await put(world, "b", preload=False)
    listed = await world.store.placements.find()
    assert [(p.server_id, p.model, p.status) for p in listed] == [
        ("s1", "b", ASSIGNED), ("s1", "m", QUEUED), ("s2", "m", QUEUED),
    ]  # fmt: skip
    assert [p.server_id for p in await world.store.placements.find(model="m")] == ["s1", "s2"]
    assert await world.store.placements.find(["nobody"]) == []


async def test_one_load_at_a_time_the_urgent_first(world: World) -> None:
    await fleet(world)
    for model, priority in (("old", 50), ("new", 50), ("high", 80)):
        await put(world, model, priority=priority)
    begin = world.store.placements.begin_load
    for model in ("old", "new"):
        assert (await begin("s1", model)).status is QUEUED
    assert (await begin("s1", "high")).status is LOADING
    assert (await begin("s1", "old")).status is QUEUED
    await world.store.placements.loaded("s1", "high", NOTHING, 5)
    assert (await begin("s1", "new")).status is QUEUED
    assert (await begin("s1", "old")).status is LOADING
    await world.store.placements.failed("s1", "old", "broken file")
    assert (await begin("s1", "new")).status is LOADING
    assert (await world.store.placements.find(["s1"], "old"))[0].error == "broken file"
    with pytest.raises(NotFound):
        await begin("s1", "unknown")


async def test_what_is_loaded_stays_when_assigned_again(world: World) -> None:
    await fleet(world)
    done = await load(world, "m", gb(6))
    assert (done.status, done.memory, done.load_ms) == (LOADED, 6 * GB, 45_000)
    assert await put(world, "m", priority=90) == [done]
    assert await put(world, "m", preload=False) == [done]
    await put(world, "q")
    assert (await put(world, "q", preload=False))[0].status is QUEUED
    await world.store.placements.failed("s1", "q", "no")
    assert (await put(world, "q"))[0] == Placement("q", "s1", QUEUED, "a_q")


async def test_the_server_s_record_names_what_is_in_memory(world: World) -> None:
    await fleet(world)
    for model in ("b", "a"):
        await load(world, model, NOTHING)
    await put(world, "c")
    assert (await world.store.servers.snapshot()).servers["s1"].models == {"a", "b"}
    assert await world.store.placements.begin_unload("s1", "a") is not None
    assert (await world.store.servers.snapshot()).servers["s1"].models == {"b"}


async def test_models_and_tasks_share_the_room(world: World) -> None:
    await fleet(world, totals=gb(24))
    await load(world, "m", gb(16))
    await world.given_task("t1", needs=gb(8))
    await world.given_task("t2", needs=gb(1))
    await world.start("t1", "s1")
    assert await held(world) == gb(24)
    assert isinstance(await world.claim("t2", "s1"), Full)
    await world.store.placements.begin_unload("s1", "m")
    assert isinstance(await world.claim("t2", "s1"), Full)  # until it is known to be gone
    await world.store.placements.unloaded("s1", "m")
    assert await held(world) == gb(8)
    await world.start("t2", "s1")
    assert await status(world, "m") is None


async def test_a_size_that_is_known_is_checked_before_and_held_while_it_loads(world: World) -> None:
    await fleet(world, totals=gb(24))
    await load(world, "m", gb(16), "s2")
    assert await world.store.placements.sizes(["m", "x"]) == {"m": ModelSize(gb(16), 45_000)}
    await put(world, "m")
    task = await world.running("t1", "s1", needs=gb(10))
    assert (await world.store.placements.begin_load("s1", "m")).status is QUEUED  # no room now
    await refused("NO_ROOM", world, "m")
    await world.end(task, done())
    assert (await world.store.placements.begin_load("s1", "m")).takes == gb(16)
    assert await held(world) == gb(16)
    await world.store.placements.failed("s1", "m", "out of memory")
    assert (await held(world), await status(world, "m")) == (NOTHING, FAILED)


async def test_a_model_that_turns_out_not_to_fit_holds_what_is_left_until_it_is_gone(world: World) -> None:
    await fleet(world, "s1", totals=gb(24))
    await load(world, "a", gb(16))
    for _ in range(2):
        with pytest.raises(Conflict) as error:
            await (load(world, "b", gb(9)) if await status(world, "b") is None else loaded(world, "b", gb(9)))
        assert error.value.code == "NO_ROOM"
        assert (await status(world, "b"), await held(world)) == (FAILED, gb(24))
    assert (await world.store.placements.find(["s1"], "b"))[0].error.startswith("NO_ROOM")
    await world.store.placements.unloaded("s1", "b")
    assert (await status(world, "b"), await held(world)) == (FAILED, gb(16)), "why it is not there is still to be seen"
    await refused("NO_ROOM", world, "b")
    with pytest.raises(Conflict):
        await loaded(world, "own", gb(9))
    assert (await status(world, "own"), await held(world)) == (FAILED, gb(24))
    await world.store.placements.unloaded("s1", "own")
    assert (await loaded(world, "b", gb(8))).status is LOADED
    await refused("NO_ROOM", world, "unknown")
    assert await held(world) == gb(24)
    assert (await loaded(world, "b", gb(8))).status is LOADED, "said twice"


async def test_a_load_of_unknown_size_waits_while_no_memory_is_left(world: World) -> None:
    await fleet(world, "s1", totals=gb(24))
    await put(world, "m")
    task = await world.running("t1", "s1", needs=gb(24))
    assert (await world.store.placements.begin_load("s1", "m")).status is QUEUED
    await world.end(task, done())
    assert (await world.store.placements.begin_load("s1", "m")).status is LOADING


async def test_unloading(world: World) -> None:
    await fleet(world)
    store = world.store.placements
    await load(world, "m", gb(1))
    going = await store.begin_unload("s1", "m")
    assert going is not None
    assert going.status is UNLOADING
    assert await store.begin_unload("s1", "m") == going
    await refused("MODEL_BUSY", world, "m")
    back = await store.failed("s1", "m", "in use")
    assert (back.status, back.error) == (LOADED, "in use")
    await store.begin_unload("s1", "m")
    await store.unloaded("s1", "m")
    await put(world, "q")
    assert await store.begin_unload("s1", "q") is None  # it never was in memory
    assert await store.find() == []
    for missing in (store.begin_unload("s1", "m"), store.unloaded("s1", "m"), store.failed("s1", "m", "")):
        with pytest.raises(NotFound):
            await missing
    await put(world, "l")
    await store.begin_load("s1", "l")
    with pytest.raises(Conflict):
        await store.begin_unload("s1", "l")


async def test_a_worker_may_load_by_itself_and_only_so_many(world: World) -> None:
    await fleet(world)
    own = await world.store.placements.loaded("s1", "own", gb(1), 7)
    assert own == Placement("own", "s1", LOADED, "", False, 50, gb(1), 7)
    for n in range(1, MODELS_MOST):
        await put(world, f"m{n}")
    await refused("TOO_MANY", world, "more")
    with pytest.raises(Conflict):
        await world.store.placements.loaded("s1", "more", NOTHING, 1)
    with pytest.raises(NotFound):
        await world.store.placements.loaded("nobody", "m", NOTHING, 1)


async def test_a_restart_empties_the_memory(world: World) -> None:
    await fleet(world, totals=gb(24))
    await world.beat("s1", boot_id="b1")
    await load(world, "m", gb(16))
    await put(world, "l", priority=2)
    await put(world, "q", priority=1)
    await world.store.placements.begin_load("s1", "l")
    await world.beat("s1", boot_id="b1")
    assert await status(world, "m") is LOADED
    await world.beat("s1", boot_id="b2")
    assert (await status(world, "m"), await status(world, "q"), await held(world)) == (ASSIGNED, QUEUED, NOTHING)
    (lost,) = await world.store.placements.find(["s1"], "l")
    assert (lost.status, lost.error) == (FAILED, "The worker restarted"), "it may be what brought it down"
    assert (await world.store.servers.get("s1")).models == frozenset()
    await load(world, "m", gb(16))
    await fleet(world, "s1", totals=gb(24))  # it registers again
    assert (await status(world, "m"), await held(world)) == (ASSIGNED, NOTHING)
    await world.store.servers.remove("s1")
    await fleet(world, "s1")
    assert await world.store.placements.find(["s1"]) == []


async def test_a_task_that_starts_with_a_model_uses_it(world: World) -> None:
    await fleet(world)
    await load(world, "m", NOTHING)
    await world.advance(500)
    await world.running("t1", "s1", model="m")
    await world.running("t2", "s2", model="m")
    assert [p.last_used_ms for p in await world.store.placements.find()] == [world.now]
    assert (await world.task("t1")).model == "m"


async def test_a_waiting_head_names_its_model(world: World) -> None:
    await world.given_task("t1", model="m")
    await world.advance(1_000)
    await fleet(world, "s1")
    assert [w.model for w in await world.store.tasks.peek()] == ["m"]


async def test_the_fleet_is_told_of_loads(world: World) -> None:
    await fleet(world, "s1")
    async with world.events() as events:
        await load(world, "m", NOTHING)
        await world.store.placements.begin_unload("s1", "m")
        await world.store.placements.unloaded("s1", "m")
        last = await events.until(lambda e: e.type == "model" and e.fields["state"] == "unloaded")
        first = await events.until(lambda e: e.type == "model")
    assert dict(first.fields) == {"id": "s1", "model": "m", "state": "loaded"}
    assert dict(last.fields) == {"id": "s1", "model": "m", "state": "unloaded"}


async def test_loads_of_an_operation_that_failed_are_given_up(world: World) -> None:
    await fleet(world, totals=gb(24))
    await load(world, "big", gb(20), "s2")
    await put(world, "first")
    await put(world, "big", priority=1)
    await put(world, "other", priority=0)
    await world.store.placements.begin_load("s1", "first")
    for model in ("first", "big"):
        step = NewStep("model.load", "s1", f'{{"model":"{model}"}}')
        await world.store.operations.create(NewOperation(f"a_{model}", OperationKind.LOAD, "ann", (step,), 1_000))
    await world.store.operations.fail("a_big", "replaced")
    assert [await status(world, model) for model in ("first", "big", "other")] == [LOADING, FAILED, QUEUED]
    assert (await world.store.placements.find(["s1"], "big"))[0].error == "replaced"
    await world.advance(1_000)
    await world.store.operations.lease("gw_1", 1_000)
    assert await status(world, "first") is FAILED
    assert await status(world, "big", "s2") is LOADED
    assert (await world.store.placements.begin_load("s1", "other")).status is LOADING


async def test_what_a_load_that_was_given_up_held_is_free(world: World) -> None:
    await fleet(world, totals=gb(24))
    await load(world, "big", gb(20), "s2")
    await put(world, "big")
    await world.store.placements.begin_load("s1", "big")
    assert await held(world) == gb(20)
    step = NewStep("model.load", "s1", '{"model":"big"}')
    await world.store.operations.create(NewOperation("a_big", OperationKind.LOAD, "ann", (step,), 1_000))
    await world.store.operations.fail("a_big", "replaced")
    assert await held(world) == NOTHING


@pytest.mark.parametrize("how", ["by its worker", "with its operation", "with a restart"])
async def test_what_was_held_for_a_load_of_unknown_size_is_no_size_to_show_once_it_failed(
    world: World, how: str
) -> None:
    await fleet(world, "s1", totals=gb(24))
    await world.beat("s1", boot_id="b1")
    await put(world, "m")
    assert (await world.store.placements.begin_load("s1", "m")).takes == gb(24)
    if how == "by its worker":
        await world.store.placements.failed("s1", "m", "broken")
    elif how == "with a restart":
        await world.beat("s1", boot_id="b2")
    else:
        step = NewStep("model.load", "s1", '{"model":"m"}')
        await world.store.operations.create(NewOperation("a_m", OperationKind.LOAD, "ann", (step,), 1_000))
        await world.store.operations.fail("a_m", "replaced")
    (placed,) = await world.store.placements.find(["s1"], "m")
    assert (placed.status, placed.takes, await held(world)) == (FAILED, NOTHING, NOTHING)
