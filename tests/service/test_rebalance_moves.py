"""The moves of a rebalance: each for itself, and never more copies of a model than before."""

import json

import pytest

from dispatcher.domain.command import CommandState, Verb
from dispatcher.domain.operation import Operation, OperationState, StepState
from dispatcher.domain.placement import PlacementStatus
from dispatcher.domain.rebalance import Strategy
from dispatcher.domain.resources import Resources
from dispatcher.service.steps import LATE, NOT_LOADED
from tests.service.operating import GB, Fleet

ACKED, DONE, FAILED = CommandState.ACKED, CommandState.DONE, CommandState.FAILED
LOADED, UNLOADING = PlacementStatus.LOADED, PlacementStatus.UNLOADING


@pytest.fixture
async def fleet() -> Fleet:
    """Two moves are worth it: of `a` and `c` to the second worker."""
    fleet = Fleet()
    for server_id in ("s1", "s2"):
        await fleet.add(server_id)
    for model, memory in (("a", 6), ("b", 6), ("c", 5), ("d", 5)):
        await fleet.load("s1", model, memory)
    return fleet


async def begun(fleet: Fleet, *, force: bool = False) -> Operation:
    operation, moves = await fleet.one.placements.rebalance("ann", Strategy.MEMORY, force=force)
    assert [(m.model, m.target) for m in moves] == [("a", "s2"), ("c", "s2")]
    return operation


async def now(fleet: Fleet, operation: Operation) -> Operation:
    await fleet.one.operations.run_once()
    return await fleet.one.operations.get(operation.id)


async def copies(fleet: Fleet, model: str) -> dict[str, PlacementStatus]:
    return {server: status for (server, name), status in (await fleet.where()).items() if name == model}


async def test_the_source_unloads_when_the_model_is_idle(fleet: Fleet) -> None:
    operation = await begun(fleet)
    await fleet.does("s2", memory_bytes=6 * GB)
    [command] = await fleet.told("s1")
    args = json.loads(command.args)
    assert (args["force"], args["when_idle"]) == (False, True)
    assert 0 < args["within_s"] * 1000 < operation.part_ms
    assert await copies(fleet, "a") == {"s1": UNLOADING, "s2": LOADED}
    assert (await fleet.store.servers.get("s1")).models == {"b", "c", "d"}, "no longer shown as warm"
    await fleet.does("s1")
    await fleet.does("s2", memory_bytes=6 * GB)
    await fleet.does("s1")
    assert (await now(fleet, operation)).state is OperationState.DONE


async def test_with_force_the_source_unloads_at_once(fleet: Fleet) -> None:
    await begun(fleet, force=True)
    await fleet.does("s2", memory_bytes=6 * GB)
    assert json.loads((await fleet.told("s1"))[0].args) == {"model": "a", "force": True, "when_idle": False}


async def test_a_model_that_is_never_idle_stays_where_it_was_and_the_others_move(fleet: Fleet) -> None:
    operation = await begun(fleet)
    await fleet.does("s2", memory_bytes=6 * GB)
    await fleet.does("s1", state=FAILED, error="model a is in use")
    assert await copies(fleet, "a") == {"s1": LOADED, "s2": UNLOADING}
    load, back = await fleet.told("s2")
    if back.verb == Verb.LOAD:
        load, back = back, load
    assert (load.verb, json.loads(back.args)["when_idle"]) == (Verb.LOAD, True)
    for command, told in ((back, "{}"), (load, json.dumps({"memory_bytes": 6 * GB}))):
        await fleet.two.commands.report("s2", command.id, DONE, told)
    await fleet.does("s1")
    ended = await now(fleet, operation)
    assert (ended.state, ended.why) == (
        OperationState.FAILED,
        "1 of 2 moves failed: model a is in use; the copy on s2 is unloaded again",
    )
    assert (await copies(fleet, "a"), await copies(fleet, "c")) == ({"s1": LOADED}, {"s2": LOADED})


async def test_a_failed_load_leaves_the_source_as_it_was(fleet: Fleet) -> None:
    operation = await begun(fleet)
    await fleet.does("s2", state=FAILED, error="no such file")
    assert await fleet.told("s1") == []
    assert (await copies(fleet, "a"))["s1"] is LOADED
    await fleet.does("s2", memory_bytes=6 * GB)
    await fleet.does("s1")
    ended = await now(fleet, operation)
    assert [step.error for step in ended.steps] == ["no such file", NOT_LOADED, "", ""]
    assert ended.why == "1 of 2 moves failed: no such file"


async def test_a_copy_stays_where_the_source_is_not_there_any_more(fleet: Fleet) -> None:
    operation = await begun(fleet)
    fleet.clock.advance(29_000)
    await fleet.beat("s2")
    fleet.clock.advance(2_000)
    await fleet.store.tasks.tick(gateway="gw_1")
    await fleet.does("s2", memory_bytes=6 * GB)
    failed = (await now(fleet, operation)).steps[1]
    assert (failed.state, "the copy on s2 stays" in failed.error) == (StepState.FAILED, True)
    assert (await copies(fleet, "a"))["s2"] is LOADED


async def test_each_step_has_its_own_time(fleet: Fleet) -> None:
    operation = await begun(fleet)
    await fleet.does("s2", state=ACKED)
    fleet.clock.advance(operation.part_ms)
    ended = await now(fleet, operation)
    assert ended.steps[0].error == LATE
    assert [step.state for step in ended.steps[1:]] == [StepState.FAILED, StepState.RUNNING, StepState.WAITING]
    await fleet.one.commands.report("s2", f"{operation.id}-0", DONE, json.dumps({"memory_bytes": 6 * GB}))
    assert await copies(fleet, "a") == {"s1": LOADED, "s2": UNLOADING}, "loaded after all, and nobody goes on with it"
    await fleet.does("s2", memory_bytes=6 * GB)
    fleet.clock.advance(operation.part_ms)
    assert (await now(fleet, operation)).why.startswith("2 of 2 moves failed")
    assert (await copies(fleet, "c"))["s1"] is LOADED


async def test_a_load_that_has_no_turn_in_its_time_has_failed(fleet: Fleet) -> None:
    await fleet.load("s1", "x", 1)
    await fleet.one.placements.assign("ann", "x", ["s2"])
    operation = await begun(fleet)
    assert await now(fleet, operation) == operation, "another one is being loaded there"
    fleet.clock.advance(operation.part_ms)
    assert (await now(fleet, operation)).steps[0].error == LATE


async def test_what_is_reported_again_takes_nothing_back(fleet: Fleet) -> None:
    operation = await begun(fleet)
    for _ in range(2):
        await fleet.does("s2", memory_bytes=6 * GB)
        await fleet.does("s1")
    for place in (0, 2):
        await fleet.one.commands.report("s2", f"{operation.id}-{place}", DONE, json.dumps({"memory_bytes": 6 * GB}))
    assert await copies(fleet, "a") == {"s2": LOADED}
    assert (await fleet.store.servers.get("s2")).allocated == Resources(memory=12 * GB)
