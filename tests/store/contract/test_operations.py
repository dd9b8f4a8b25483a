"""Operations on the fleet: steps that only move on, one driver at a time, an end."""

from typing import Any

import pytest

from dispatcher.domain.errors import Conflict, NotFound
from dispatcher.domain.operation import (
    LIVE_MOST,
    NewOperation,
    NewStep,
    Operation,
    OperationKind,
    OperationState,
    Step,
    StepState,
)
from tests.store.world import World

LIFE_MS, LEASE_MS = 600_000, 5_000
WAITING, DONE, FAILED = StepState.WAITING, StepState.DONE, StepState.FAILED


async def given(world: World, operation_id: str, steps: int = 2, **changes: Any) -> Operation:
    made = tuple(NewStep("model.load", f"s{n}", f'{{"n":{n}}}') for n in range(steps))
    fields = {"kind": OperationKind.LOAD, "actor": "acme/ann", "steps": made, "for_ms": LIFE_MS}
    return await world.store.operations.create(NewOperation(operation_id, **(fields | changes)))


async def leased(world: World, gateway: str = "gw_1", **rest: Any) -> list[str]:
    return [o.id for o in await world.store.operations.lease(gateway, LEASE_MS, **rest)]


def shape(operation: Operation) -> tuple[OperationState, list[StepState], str]:
    return operation.state, [step.state for step in operation.steps], operation.error


async def test_an_operation_is_kept_as_it_was_asked_for(world: World) -> None:
    made = await given(world, "o1", guard="g", sequence=True)
    steps = (Step("model.load", "s0", '{"n":0}'), Step("model.load", "s1", '{"n":1}'))
    assert made == Operation(
        "o1", OperationKind.LOAD, OperationState.RUNNING, "acme/ann", steps, world.now, world.now + LIFE_MS, "g", True
    )
    assert await given(world, "o1", steps=5) == made == await world.store.operations.get("o1")
    with pytest.raises(NotFound):
        await world.store.operations.get("nothing")


async def test_steps_move_on_and_the_last_one_ends_it(world: World) -> None:
    await given(world, "o1")
    advance = world.store.operations.advance
    assert shape(await advance("o1", 1, StepState.RUNNING))[1] == [WAITING, StepState.RUNNING]
    await advance("o1", 1, FAILED, "no room")
    for state in (StepState.RUNNING, DONE, FAILED):  # what it was told before
        assert shape(await advance("o1", 1, state, "x")) == (OperationState.RUNNING, [WAITING, FAILED], "")
    await advance("o1", 2, DONE)  # there is none
    await world.advance(1_000)
    ended = await advance("o1", 0, DONE)
    assert shape(ended) == (OperationState.FAILED, [DONE, FAILED], "no room")
    assert (ended.ended_ms, ended.steps[1].error) == (world.now, "no room")
    with pytest.raises(NotFound):
        await advance("nothing", 0, DONE)


async def test_a_failed_step_of_a_sequence_leaves_the_others_be(world: World) -> None:
    made = await given(world, "o1", steps=3, sequence=True)
    assert (list(made.due()), made.now_ms) == ([0], world.now)
    failed = await world.store.operations.advance("o1", 0, FAILED, "gone")
    assert (shape(failed)[0], list(failed.due())) == (OperationState.RUNNING, [1])
    await world.advance(1_000)
    moved = await world.store.operations.advance("o1", 1, DONE)
    assert (list(moved.due()), moved.now_ms) == ([2], world.now)
    ended = await world.store.operations.advance("o1", 2, FAILED, "gone too")
    assert shape(ended) == (OperationState.FAILED, [FAILED, DONE, FAILED], "gone")
    assert await world.store.operations.advance("o1", 1, FAILED) == ended


async def test_nothing_to_do_is_done(world: World) -> None:
    assert (await given(world, "o1", steps=0, guard="g")).state is OperationState.DONE
    assert await world.store.operations.guarded("g") is None
    assert await leased(world) == []


async def test_a_guard_lets_one_in(world: World) -> None:
    await given(world, "o1", guard="rebalance")
    with pytest.raises(Conflict) as refused:
        await given(world, "o2", guard="rebalance")
    assert refused.value.code == "OPERATION_RUNNING"
    await given(world, "o3", guard="other")
    plan = await given(world, "o4", guard="rebalance", dry_run=True)
    assert (plan.state, plan.ended_ms) == (OperationState.PLANNED, world.now)
    assert await world.store.operations.guards() == ["other", "rebalance"]
    holder = await world.store.operations.guarded("rebalance")
    assert holder is not None
    assert holder.id == "o1"
    failed = await world.store.operations.fail("o1", "replaced")
    assert shape(failed) == (OperationState.FAILED, [WAITING, WAITING], "replaced")
    assert await world.store.operations.fail("o1", "again") == failed
    await given(world, "o2", guard="rebalance")
    assert [o.id for o in await world.store.operations.recent(3)] == ["o2", "o4", "o3"]


async def test_one_gateway_drives_it_until_its_lease_ends(world: World) -> None:
    await given(world, "o1")
    await given(world, "planned", dry_run=True)
    assert await leased(world) == ["o1"]
    assert await leased(world, "gw_2") == []
    await world.advance(LEASE_MS - 1)
    assert await leased(world) == ["o1"]  # its own, once more
    await world.advance(1)
    assert await leased(world, "gw_2") == []
    await world.advance(LEASE_MS)
    assert await leased(world, "gw_2") == ["o1"]
    assert await leased(world) == []
    await given(world, "o2")
    await given(world, "o3")
    assert await leased(world, limit=1) == ["o2"]


async def test_operations_take_turns(world: World) -> None:
    for name in ("o2", "o1", "o3"):
        await given(world, name)
    turns = []
    for _ in range(4):
        turns += await leased(world, limit=1)
        await world.advance(1)
    assert turns == ["o1", "o2", "o3", "o1"]


async def test_the_deadline_ends_it(world: World) -> None:
    await given(world, "o1", guard="g")
    await world.advance(LIFE_MS)
    assert await leased(world) == []
    ended = await world.store.operations.get("o1")
    assert (ended.state, ended.error) == (OperationState.FAILED, "It took too long")
    await given(world, "o2", guard="g")


async def test_there_are_only_so_many(world: World) -> None:
    for n in range(LIVE_MOST):
        await given(world, f"o{n}")
    with pytest.raises(Conflict) as refused:
        await given(world, "more")
    assert refused.value.code == "TOO_MANY"
    await given(world, "plan", dry_run=True)
    await world.store.operations.fail("o7", "")
    await given(world, "more")


async def test_beginning_and_end_are_told(world: World) -> None:
    async with world.events() as events:
        await given(world, "o1", kind=OperationKind.REBALANCE)
        await world.store.operations.fail("o1", "x")
        last = await events.until(lambda e: e.type == "operation" and e.fields["state"] == "failed")
        first = await events.until(lambda e: e.type == "operation")
    assert dict(first.fields) == {"id": "o1", "kind": "rebalance", "state": "running"}
    assert dict(last.fields) == {"id": "o1", "kind": "rebalance", "state": "failed"}
