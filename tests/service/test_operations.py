"""Operations on the fleet: driven by what workers report, and by whichever gateway is there."""

import json

import pytest

from dispatcher.domain.command import Verb
from dispatcher.domain.errors import Conflict, Invalid, NoControl, NotFound
from dispatcher.domain.operation import OperationState
from dispatcher.domain.placement import PlacementStatus
from dispatcher.domain.server import Transport
from dispatcher.service.operations import LEASE_MS
from dispatcher.service.steps import LATE
from tests.service.operating import ACKED, DONE, Fleet


async def test_a_restart_is_done_when_the_worker_is_another(fleet: Fleet) -> None:
    operation = await fleet.one.operations.restart("ann", "s1")
    [command] = await fleet.told("s1")
    assert (command.verb, json.loads(command.args)) == (Verb.RESTART, {"drain_s": 30, "boot_id": "b1"})
    with pytest.raises(Conflict) as refused:
        await fleet.two.operations.restart("bob", "s1")
    assert refused.value.code == "OPERATION_RUNNING"
    assert await fleet.does("s1") == Verb.RESTART
    await fleet.one.operations.run_once()
    assert (await fleet.one.operations.get(operation.id)).state is OperationState.RUNNING
    await fleet.beat("s1", "b2")
    assert await fleet.one.operations.run_once() == 1
    assert (await fleet.two.operations.get(operation.id)).state is OperationState.DONE
    assert await fleet.one.operations.running("restart:s1") is None


async def test_who_cannot_be_told_is_refused_and_nothing_is_kept(fleet: Fleet) -> None:
    await fleet.add("pushed", transport=Transport.PUSH)
    for call in (
        fleet.one.operations.restart("ann", "pushed"),
        fleet.one.placements.assign("ann", "m", ["s1", "pushed"]),
    ):
        with pytest.raises(NoControl):
            await call
    for unknown in ("nobody", "no such/id"):
        with pytest.raises(NotFound):
            await fleet.one.operations.restart("ann", unknown)
        with pytest.raises(NotFound):
            await fleet.one.operations.get(unknown)
    for model, servers in (("", ["s1"]), ("a\nb", ["s1"]), ("m", []), ("m", ["s1", "s1"])):
        with pytest.raises(Invalid):
            await fleet.one.placements.assign("ann", model, servers)
    assert await fleet.one.operations.recent() == []
    assert await fleet.where() == {}


async def test_another_gateway_goes_on(fleet: Fleet) -> None:
    assignment, _ = await fleet.one.placements.assign("ann", "m", ["s1"])
    await fleet.one.operations.run_once()
    await fleet.store.commands.report("s1", f"{assignment}-0", DONE, "{}")  # the gateway died before it saw it
    assert await fleet.two.operations.run_once() == 0
    fleet.clock.advance(LEASE_MS)
    assert await fleet.two.operations.run_once() == 1
    assert (await fleet.two.operations.get(assignment)).state is OperationState.DONE
    assert await fleet.where() == {("s1", "m"): PlacementStatus.LOADED}


async def test_a_worker_that_never_does_it(fleet: Fleet) -> None:
    assignment, _ = await fleet.one.placements.assign("ann", "m", ["s1"])
    await fleet.does("s1", state=ACKED)
    fleet.clock.advance(fleet.one.operations.options.load_ms - 20_000)
    await fleet.one.operations.run_once()
    operation = await fleet.one.operations.get(assignment)
    assert (operation.state, operation.error) == (OperationState.FAILED, LATE)
    assert await fleet.where() == {("s1", "m"): PlacementStatus.FAILED}
    await fleet.one.commands.report("s1", f"{assignment}-0", DONE, '{"memory_bytes": 5}')  # it did after all
    assert await fleet.where() == {("s1", "m"): PlacementStatus.LOADED}


async def test_a_restart_under_way_is_told_though_the_connection_is_down(fleet: Fleet) -> None:
    await fleet.one.operations.restart("ann", "s1")
    await fleet.store.servers.connect("s1", "c1", "gw")
    await fleet.store.servers.disconnect("s1", "c1", left=True)
    with pytest.raises(Conflict) as refused:
        await fleet.one.operations.restart("ann", "s1")
    assert refused.value.code == "OPERATION_RUNNING"
