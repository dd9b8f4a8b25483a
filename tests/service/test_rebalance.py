"""A rebalance: what it moves, in which order, and which one runs."""

import pytest

from dispatcher.domain.command import Verb
from dispatcher.domain.errors import Conflict
from dispatcher.domain.operation import OperationState
from dispatcher.domain.placement import PlacementStatus
from dispatcher.domain.rebalance import Strategy
from dispatcher.service.placements import moves_of
from tests.service.operating import GB, Fleet


async def test_a_rebalance_moves_nothing_to_who_came_through_an_open_door(fleet: Fleet) -> None:
    await fleet.add("s3", memory=96, only="cloudai")
    await fleet.one.placements.assign("ann", "m", ["s3"], preload=False)  # an operator's word counts
    for model in ("a", "b", "c"):
        await fleet.load("s1", model, 6)
    _, moves = await fleet.one.placements.rebalance("ann", Strategy.MEMORY, dry_run=True)
    assert {move.target for move in moves} == {"s2"}


async def test_a_rebalance_loads_before_it_unloads(fleet: Fleet) -> None:
    await fleet.load("s1", "a", 12)
    await fleet.load("s1", "b", 8)
    plan, moves = await fleet.one.placements.rebalance("ann", Strategy.MEMORY, dry_run=True)
    assert (plan.state, [(m.model, m.source, m.target) for m in moves]) == (OperationState.PLANNED, [("a", "s1", "s2")])
    assert await fleet.told("s2") == []
    operation, again = await fleet.one.placements.rebalance("ann", Strategy.MEMORY)
    assert (again, moves_of(operation)) == (moves, [("a", "s1", "s2")])
    with pytest.raises(Conflict):
        await fleet.two.placements.rebalance("bob", Strategy.LOAD)
    assert await fleet.told("s1") == []
    assert await fleet.does("s2", memory_bytes=12 * GB) == Verb.LOAD
    assert await fleet.does("s1") == Verb.UNLOAD
    assert (await fleet.one.operations.get(operation.id)).state is OperationState.DONE
    loaded = PlacementStatus.LOADED
    assert await fleet.where() == {("s1", "b"): loaded, ("s2", "a"): loaded}
    done, none = await fleet.one.placements.rebalance("ann", Strategy.MEMORY)
    assert (done.state, none) == (OperationState.DONE, [])


async def test_a_forced_rebalance_replaces_the_running_one(fleet: Fleet) -> None:
    await fleet.load("s1", "a", 12)
    await fleet.load("s1", "b", 8)
    first, _ = await fleet.one.placements.rebalance("ann", Strategy.MEMORY)
    second, _ = await fleet.one.placements.rebalance("ann", Strategy.MEMORY, force=True)
    assert (await fleet.one.operations.get(first.id)).error == "Another rebalance was begun"
    await fleet.does("s2", memory_bytes=12 * GB)  # of the first: what it does counts all the same
    assert (await fleet.where())["s2", "a"] is PlacementStatus.LOADED
    assert second.id != first.id
