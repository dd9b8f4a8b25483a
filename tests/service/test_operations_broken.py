"""Operations that cannot begin, that are broken, and whose workers start anew."""

import json

import pytest

from dispatcher.domain.command import Verb
from dispatcher.domain.errors import Conflict
from dispatcher.domain.operation import LIVE_MOST, NewOperation, NewStep, OperationKind, OperationState
from dispatcher.domain.placement import PlacementStatus
from tests.service.operating import ACKED, Fleet


async def test_a_load_that_cannot_begin_holds_up_no_other(fleet: Fleet) -> None:
    for n in range(LIVE_MOST):
        step = NewStep(Verb.RESTART, "s2")
        await fleet.store.operations.create(NewOperation(f"o{n}", OperationKind.RESTART, "ann", (step,), 10**9))
    with pytest.raises(Conflict):
        await fleet.one.placements.assign("ann", "m", ["s1"])
    assert await fleet.where() == {("s1", "m"): PlacementStatus.FAILED}
    await fleet.store.operations.fail("o0", "")
    await fleet.load("s1", "other", 6)


async def test_a_worker_that_starts_anew_loses_what_it_was_loading(fleet: Fleet) -> None:
    assignment, _ = await fleet.one.placements.assign("ann", "m", ["s1"])
    await fleet.does("s1", state=ACKED)
    await fleet.beat("s1", "b2")
    await fleet.one.operations.run_once()
    operation = await fleet.one.operations.get(assignment)
    assert (operation.state, operation.error) == (OperationState.FAILED, "The worker restarted")


async def test_an_operation_that_is_broken_holds_up_no_other(fleet: Fleet) -> None:
    for name, step in (
        ("broken", NewStep(Verb.LOAD, "s1")),
        ("whole", NewStep(Verb.RESTART, "s1", '{"boot_id": "b0"}')),
    ):
        await fleet.store.operations.create(NewOperation(name, OperationKind.LOAD, "ann", (step,), 60_000))
    assert await fleet.one.operations.run_once() == 2
    assert (await fleet.one.operations.get("whole")).state is OperationState.DONE


async def test_the_first_word_of_a_worker_is_no_restart(fleet: Fleet) -> None:
    await fleet.add("new", beats=False)
    operation = await fleet.one.operations.restart("ann", "new")
    for boot_id, state in (("b1", OperationState.RUNNING), ("b1", OperationState.RUNNING), ("b2", OperationState.DONE)):
        await fleet.beat("new", boot_id)
        await fleet.one.operations.run_once()
        assert (await fleet.one.operations.get(operation.id)).state is state
    [command] = await fleet.told("new")
    assert json.loads(command.args) == {"drain_s": 30, "boot_id": "b1"}
