"""Models on workers: assigned, loaded, unloaded, and what workers say of them."""

import json

import pytest

from dispatcher.domain.command import Verb
from dispatcher.domain.errors import ModelBusy, NoRunner, NotFound
from dispatcher.domain.operation import OperationState, StepState
from dispatcher.domain.placement import Placement, PlacementStatus
from dispatcher.domain.rebalance import Strategy
from dispatcher.domain.resources import Resources
from tests.service.operating import FAILED, GB, Fleet


async def test_who_loads_no_models_is_given_none(fleet: Fleet) -> None:
    await fleet.add("runner", kind="process")
    for preload in (True, False):
        with pytest.raises(NoRunner):
            await fleet.one.placements.assign("ann", "m", ["s1", "runner"], preload=preload)
    assert await fleet.where() == {}
    for model in ("a", "b", "c"):
        await fleet.load("s1", model, 6)
    _, moves = await fleet.one.placements.rebalance("ann", Strategy.MEMORY, dry_run=True)
    assert {move.target for move in moves} == {"s2"}


async def test_a_worker_is_given_no_model_that_it_says_it_does_not_have(fleet: Fleet) -> None:
    await fleet.add("s3", memory=96, loadable=["other"])
    with pytest.raises(NoRunner):
        await fleet.one.placements.assign("ann", "m", ["s3"])
    for model in ("a", "b", "c"):
        await fleet.load("s1", model, 6)
    _, moves = await fleet.one.placements.rebalance("ann", Strategy.MEMORY, dry_run=True)
    assert {move.target for move in moves} == {"s2"}


async def test_an_assignment_loads_on_all_its_workers_at_once(fleet: Fleet) -> None:
    assignment, placed = await fleet.one.placements.assign("ann", "m", ["s1", "s2"], priority=80)
    assert [p.status for p in placed] == [PlacementStatus.LOADING] * 2
    assert json.loads((await fleet.told("s2"))[0].args) == {"model": "m", "priority": 80}
    await fleet.does("s2", memory_bytes=6 * GB, load_ms=45_000)
    operation = await fleet.one.operations.get(assignment)
    assert (operation.actor, [s.state for s in operation.steps]) == ("ann", [StepState.RUNNING, StepState.DONE])
    await fleet.does("s1", state=FAILED, error="no such file")
    operation = await fleet.one.operations.get(assignment)
    assert (operation.state, operation.error) == (OperationState.FAILED, "no such file")
    found = await fleet.one.placements.find(["s2"])
    assert (found[0].memory, found[0].load_ms) == (6 * GB, 45_000)
    assert (await fleet.store.servers.get("s2")).allocated == Resources(memory=6 * GB)


async def test_the_second_model_waits_for_the_first(fleet: Fleet) -> None:
    await fleet.one.placements.assign("ann", "a", ["s1"])
    second, placed = await fleet.one.placements.assign("ann", "b", ["s1"])
    assert placed[0].status is PlacementStatus.QUEUED
    assert len(await fleet.told("s1")) == 1
    await fleet.does("s1")
    await fleet.one.operations.run_once()
    assert await fleet.does("s1") == Verb.LOAD
    assert (await fleet.one.operations.get(second)).state is OperationState.DONE


async def test_a_model_that_does_not_fit_is_unloaded_again(fleet: Fleet) -> None:
    await fleet.load("s1", "a", 20)
    assignment, _ = await fleet.one.placements.assign("ann", "b", ["s1"])
    await fleet.does("s1", memory_bytes=5 * GB)
    operation = await fleet.one.operations.get(assignment)
    assert (operation.state, operation.error[:7]) == (OperationState.FAILED, "NO_ROOM")
    assert (await fleet.store.servers.get("s1")).allocated == Resources(memory=24 * GB), "all that there is"
    in_memory = [
        Placement(name, "s1", PlacementStatus.LOADED, takes=Resources(memory=memory * GB), load_ms=9)
        for name, memory in (("a", 20), ("b", 5))
    ]
    [command] = await fleet.told("s1")
    assert (command.verb, json.loads(command.args)["model"]) == (Verb.UNLOAD, "b")
    await fleet.does("s1", state=FAILED, error="in use")
    assert not await fleet.one.placements.loaded("s1", in_memory), "it is reminded for as long as it has it"
    assert await fleet.does("s1") == Verb.UNLOAD
    assert await fleet.where() == {("s1", "a"): PlacementStatus.LOADED, ("s1", "b"): PlacementStatus.FAILED}
    assert not await fleet.one.placements.loaded("s1", in_memory, busy={"b"})
    assert await fleet.told("s1") == [], "what is in use stays for now"
    assert await fleet.one.placements.loaded("s1", in_memory[:1])
    assert await fleet.told("s1") == []
    assert (await fleet.store.servers.get("s1")).allocated == Resources(memory=20 * GB)


async def test_unloading(fleet: Fleet) -> None:
    await fleet.load("s1", "m", 6)
    with pytest.raises(NotFound):
        await fleet.one.placements.unload("ann", "m", ["s1", "s2"])
    await fleet.one.placements.assign("ann", "m", ["s2"])
    with pytest.raises(ModelBusy):
        await fleet.one.placements.unload("ann", "m", ["s1", "s2"])
    await fleet.does("s2", state=FAILED, error="no")
    await fleet.one.placements.unload("ann", "m", ["s2"])
    await fleet.one.placements.unload("ann", "m", ["s1"])
    await fleet.does("s1", state=FAILED, error="in use")
    assert await fleet.where() == {("s1", "m"): PlacementStatus.LOADED}
    operation = await fleet.one.placements.unload("ann", "m", ["s1"], force=True)
    assert json.loads((await fleet.told("s1"))[0].args)["force"] is True
    await fleet.does("s1", fleet.two)
    assert (await fleet.one.operations.get(operation.id)).state is OperationState.DONE
    assert await fleet.where() == {}


async def test_a_worker_says_what_is_in_its_memory(fleet: Fleet) -> None:
    await fleet.store.placements.loaded("s1", "lost", Resources(memory=6 * GB), 5)
    await fleet.one.placements.assign("ann", "later", ["s1"], preload=False)
    said = [
        Placement(name, "s1", PlacementStatus.LOADED, takes=Resources(memory=GB), load_ms=9)
        for name in ("own", "later")
    ]
    await fleet.one.placements.loaded("s1", said)
    assert await fleet.where() == {("s1", name): PlacementStatus.LOADED for name in ("own", "later")}


async def test_what_a_model_takes_by_now_is_held(fleet: Fleet) -> None:
    await fleet.load("s1", "m", 6)
    for takes, held in ((Resources(memory=9 * GB), 9), (Resources(memory=4 * GB), 4), (Resources(), 4)):
        told = Placement("m", "s1", PlacementStatus.LOADED, takes=takes, load_ms=9)
        assert await fleet.one.placements.loaded("s1", [told])
        assert (await fleet.store.servers.get("s1")).allocated == Resources(memory=held * GB)
    await fleet.store.placements.begin_unload("s1", "m")
    await fleet.one.placements.loaded("s1", [Placement("m", "s1", PlacementStatus.LOADED, takes=Resources(memory=GB))])
    assert await fleet.where() == {("s1", "m"): PlacementStatus.UNLOADING}


async def test_an_assigned_model_that_was_lost_is_loaded_again(fleet: Fleet) -> None:
    await fleet.load("s1", "m", 6)
    await fleet.one.placements.assign("ann", "later", ["s1"], preload=False)
    later = Placement("later", "s1", PlacementStatus.LOADED, takes=Resources(memory=GB), load_ms=9)
    await fleet.one.placements.loaded("s1", [later])
    assert await fleet.does("s1", memory_bytes=6 * GB) == Verb.LOAD, "its process was killed with a task"
    await fleet.one.placements.loaded("s1", [])
    assert (await fleet.where())["s1", "later"] is PlacementStatus.ASSIGNED
    assert await fleet.does("s1", memory_bytes=6 * GB) == Verb.LOAD
    await fleet.beat("s1", "b2")
    assert (await fleet.where())["s1", "m"] is PlacementStatus.ASSIGNED
    await fleet.one.placements.loaded("s1", [])
    assert await fleet.does("s1", memory_bytes=6 * GB) == Verb.LOAD, "it crashed"
    assert await fleet.where() == {("s1", "m"): PlacementStatus.LOADED, ("s1", "later"): PlacementStatus.ASSIGNED}
    await fleet.one.placements.loaded("s1", [Placement("m", "s1", PlacementStatus.LOADED)])
    assert await fleet.told("s1") == []
