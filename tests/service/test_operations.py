"""Operations on the fleet: driven by what workers report, and by whichever gateway is there."""

import json
from collections.abc import Iterable
from typing import Any

import pytest

from dispatcher.domain.clock import ManualClock
from dispatcher.domain.command import Command, CommandState, Verb
from dispatcher.domain.errors import Conflict, Invalid, ModelBusy, NoControl, NoRunner, NotFound
from dispatcher.domain.lane import Offer
from dispatcher.domain.operation import OperationState, StepState
from dispatcher.domain.placement import Placement, PlacementStatus, can_load
from dispatcher.domain.rebalance import Strategy
from dispatcher.domain.resources import Resources
from dispatcher.domain.server import Endpoints, NewServer, ServerHealth, Transport
from dispatcher.service.commands import Commands
from dispatcher.service.operations import LEASE_MS, Operations
from dispatcher.service.placements import Placements, moves_of
from dispatcher.service.steps import LATE, Steps
from dispatcher.store.memory import MemoryStore

GB = 1 << 30
ACKED, DONE, FAILED = CommandState.ACKED, CommandState.DONE, CommandState.FAILED


class Gateway:
    def __init__(self, store: MemoryStore, name: str) -> None:
        self.commands = Commands(store.commands)
        steps = Steps(store.servers, store.placements, self.commands)
        self.operations = Operations(store.operations, store.servers, self.commands, steps, gateway=name)
        self.placements = Placements(store.placements, store.servers, self.operations)


class Fleet:
    """Workers with a control channel, and two gateways."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore(self.clock)
        self.one, self.two = (Gateway(self.store, name) for name in ("gw_1", "gw_2"))

    async def add(
        self,
        server_id: str,
        memory: int = 24,
        transport: Transport = Transport.SOCKET,
        *,
        kind: str = "model",
        beats: bool = True,
        loadable: Iterable[str] = (),
        only: str = "",
    ) -> None:
        models = frozenset(map(can_load, loadable))
        offer = Offer(frozenset({kind}), models, resources=Resources(memory=memory * GB), only=only)
        await self.store.servers.put(NewServer(server_id, "native", server_id, Endpoints(), offer, transport=transport))
        if beats:
            await self.beat(server_id)

    async def beat(self, server_id: str, boot_id: str = "b1") -> None:
        await self.store.servers.heartbeat(
            server_id, health=ServerHealth.HEALTHY, active=None, metrics="{}", boot_id=boot_id
        )

    async def told(self, server_id: str) -> list[Command]:
        return await self.store.commands.pending(server_id)

    async def does(
        self, server_id: str, gateway: Gateway | None = None, state: CommandState = DONE, **told: Any
    ) -> str:
        """The worker does the oldest thing that it was told to; answers what that was."""
        command = (await self.told(server_id))[0]
        detail = told.pop("error", None) or json.dumps(told)
        await (gateway or self.one).commands.report(server_id, command.id, state, detail)
        return command.verb

    async def load(self, server_id: str, model: str, memory: int) -> None:
        await self.one.placements.assign("ann", model, [server_id])
        assert await self.does(server_id, memory_bytes=memory * GB, load_ms=5) == Verb.LOAD

    async def where(self) -> dict[tuple[str, str], PlacementStatus]:
        return {(p.server_id, p.model): p.status for p in await self.one.placements.find()}


@pytest.fixture
async def fleet() -> Fleet:
    fleet = Fleet()
    for server_id in ("s1", "s2"):
        await fleet.add(server_id)
    return fleet


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


async def test_a_rebalance_moves_nothing_to_who_came_through_an_open_door(fleet: Fleet) -> None:
    await fleet.add("s3", memory=96, only="cloudai")
    await fleet.one.placements.assign("ann", "m", ["s3"], preload=False)  # an operator's word counts
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


async def test_a_restart_under_way_is_told_though_the_connection_is_down(fleet: Fleet) -> None:
    await fleet.one.operations.restart("ann", "s1")
    await fleet.store.servers.connect("s1", "c1", "gw")
    await fleet.store.servers.disconnect("s1", "c1", left=True)
    with pytest.raises(Conflict) as refused:
        await fleet.one.operations.restart("ann", "s1")
    assert refused.value.code == "OPERATION_RUNNING"
