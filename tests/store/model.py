"""Random commands, and what must hold after each of them."""

from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from dispatcher.domain.failure import Outcome, Verdict
from dispatcher.domain.grant import Grant
from dispatcher.domain.lane import Demand, Offer
from dispatcher.domain.placement import RUNNER, can_load
from dispatcher.domain.principal import Owner
from dispatcher.domain.reporter import ByAdmin, ByHolder
from dispatcher.domain.resources import NOTHING, Resources
from dispatcher.domain.server import ServerHealth, Transport
from dispatcher.domain.transitions import TaskState
from tests.store.placement_rules import PlacementRules
from tests.store.side_by_side import MODELS, SERVERS, WORKER, SideBySide
from tests.store.world import GATEWAY, LEASE_MS, ORIGIN, by, held, new_server, new_task

SLOTS = 2
TOTALS = {"s0": Resources(cpu=3), "s1": Resources(cpu=2.4), "s2": None}
LOADS_MODELS = Offer(
    frozenset({"predict", RUNNER}), frozenset(map(can_load, MODELS)), resources=Resources(cpu=3, memory=3)
)

grants = st.integers(0, 10_000)  # an index into the past grants
tasks = st.integers(0, 10_000)
servers = st.sampled_from(SERVERS)
either = st.sampled_from([*SERVERS, WORKER])


class StoreModel(PlacementRules):
    """The stores under random commands."""

    # ---- the fleet

    @initialize(names=st.sampled_from([(*SERVERS[:2], WORKER), (WORKER,)]))
    def fleet(self, names: tuple[str, ...]) -> None:
        for name in names:
            self.put(name)

    @rule(name=either)
    def put(self, name: str) -> None:
        capabilities = ["gpu"] if name == "s1" else []
        health = "http://s2/health" if name == "s2" else None
        transport = Transport.SOCKET if name == WORKER else Transport.PUSH
        server = new_server(
            name, max_concurrent=SLOTS, capabilities=capabilities, health=health, resources=TOTALS.get(name),
            transport=transport,
        )  # fmt: skip
        if name == WORKER:
            server = replace(server, offer=LOADS_MODELS)
        self.do(lambda store: store.servers.put(server))

    @rule(name=servers, gpu=st.booleans())
    def reoffer(self, name: str, gpu: bool) -> None:
        offer = Offer(capabilities=frozenset({"gpu"} if gpu else ()), resources=TOTALS[name])
        self.do(lambda store: store.servers.reoffer(name, offer))

    @rule(name=either)
    def remove(self, name: str) -> None:
        self.do(lambda store: store.servers.remove(name))

    @rule(
        name=either, active=st.none() | st.integers(0, 3), boot=st.sampled_from([None, None, "b1", "b2"]),
        lists=st.none() | st.booleans(),
    )  # fmt: skip
    def beat(self, name: str, active: int | None, boot: str | None, lists: bool | None) -> None:
        running = None if lists is None else [task for task in self.task_ids if lists]
        self.do(
            lambda store: store.servers.heartbeat(
                name, health=ServerHealth.HEALTHY, active=active, metrics="{}", boot_id=boot, running=running
            )
        )

    @rule(name=servers, ok=st.booleans())
    def probed(self, name: str, ok: bool) -> None:
        self.do(lambda store: store.servers.probed(name, ok))

    @rule(name=servers, on=st.booleans())
    def maintenance(self, name: str, on: bool) -> None:
        self.do(lambda store: store.servers.set_maintenance(name, on, "why" if on else ""))

    # ---- tasks

    @rule(
        tenant=st.sampled_from("ab"), gpu=st.booleans(), boost=st.sampled_from([0, 0, 60_000]),
        run_in=st.sampled_from([None, None, None, 3_000]), deadline_in=st.sampled_from([None, None, None, 9_000]),
        timeout_ms=st.sampled_from([5_000, 300_000]), weight=st.sampled_from([1, 1, 2]),
        cores=st.sampled_from([0, 0, 1.2, 2.5]), model=st.sampled_from(["", "", *MODELS]),
        loads=st.booleans(),
    )  # fmt: skip
    def create(
        self, tenant: str, gpu: bool, boost: int, run_in: int | None, deadline_in: int | None, timeout_ms: int,
        weight: int, cores: float, model: str, loads: bool,
    ) -> None:  # fmt: skip
        now = self.clock.now_ms()
        demand = {"demand": Demand(kind=RUNNER).shaped(Resources(cpu=cores))} if model and loads else {}
        task = new_task(
            self.fresh("t"), owner=Owner(tenant, "x"), capabilities=["gpu"] if gpu else [], boost_ms=boost,
            run_at_ms=now + run_in if run_in else None, deadline_ms=now + deadline_in if deadline_in else None,
            timeout_ms=timeout_ms, weight=weight, needs=Resources(cpu=cores), model=model, **demand,
        )  # fmt: skip
        self.task_ids.append(task.id)
        self.do(lambda store: store.tasks.create(task, gateway=GATEWAY))

    @precondition(SideBySide.has_tasks)
    @rule(
        task=tasks, name=servers, gateway=st.sampled_from([GATEWAY, GATEWAY, GATEWAY, "gw_2"]),
        expected=st.sampled_from([None, None, 0.0, 1.0, 5.0]), instead=st.lists(servers, max_size=2),
        last=st.booleans(),
    )  # fmt: skip
    def claim(self, task: int, name: str, gateway: str, expected: float | None, instead: list[str], last: bool) -> None:
        task_id, claim_id, nonce = self.task_id(task), self.fresh("c"), self.fresh("n")
        self.do(
            lambda store: store.tasks.claim(
                task_id,
                name,
                claim_id=claim_id,
                nonce=nonce,
                gateway=gateway,
                lease_ms=LEASE_MS,
                expected_load=expected,
                instead=instead,
                last=last,
            )
        )

    @precondition(SideBySide.has_grants)
    @rule(
        index=grants, verdict=st.sampled_from(list(Verdict)), digest=st.sampled_from("de"), slot_free=st.booleans(),
        wants=st.booleans(), rest_ms=st.sampled_from([0, 2_000]), speaker=st.sampled_from("aaaahx"),
    )  # fmt: skip
    def finish(
        self, index: int, verdict: Verdict, digest: str, slot_free: bool, wants: bool, rest_ms: int, speaker: str
    ) -> None:
        grant = self.grant(index)
        who = {"a": by(grant), "h": ByHolder(grant.server_id), "x": ByAdmin()}[speaker]
        outcome = Outcome(verdict, b"1", digest, "CODE", "why", slot_free, rest_ms, 20)
        nonce = self.fresh("n") if wants else None
        self.do(
            lambda store: store.tasks.finish(
                grant.task_id, who, outcome, gateway=GATEWAY, retry_delay_ms=700, want_next=nonce
            )
        )

    @rule(halts=st.booleans())
    def claim_next(self, halts: bool) -> None:
        claim_id, nonce = self.fresh("c"), self.fresh("n")
        grant = self.do(
            lambda store: store.tasks.claim_next(
                WORKER, claim_id=claim_id, nonce=nonce, gateway=GATEWAY, lease_ms=LEASE_MS
            )
        )
        if halts and isinstance(grant, Grant):
            self.do(lambda store: store.tasks.pause(grant.task_id, origin=ORIGIN, owner=None))

    @precondition(SideBySide.has_grants)
    @rule(
        index=grants, percent=st.integers(0, 100), metrics=st.sampled_from([None, None, b'{"loss":1}']),
        checkpoint=st.sampled_from([None, None, "epoch 2"]),
    )  # fmt: skip
    def progress(self, index: int, percent: int, metrics: bytes | None, checkpoint: str | None) -> None:
        grant = self.grant(index)
        self.do(
            lambda store: store.tasks.progress(
                grant.task_id, by(grant), float(percent), metrics=metrics, checkpoint=checkpoint
            )
        )
        if metrics is not None:
            self.last = None  # a second report is no replay

    @precondition(SideBySide.has_grants)
    @rule(index=grants)
    def accept(self, index: int) -> None:
        grant = self.grant(index)
        self.do(lambda store: store.tasks.accept(grant.task_id, by(grant), lease_ms=30_000))

    @precondition(SideBySide.has_grants)
    @rule()
    def renew(self) -> None:
        everything = [held(grant) for grant in self.grants]
        self.do(lambda store: store.tasks.renew(everything, gateway=GATEWAY, lease_ms=LEASE_MS))

    @precondition(SideBySide.has_grants)
    @rule(index=grants)
    def free_slot(self, index: int) -> None:
        grant = self.grant(index)
        self.do(lambda store: store.tasks.free_slot(grant.task_id, grant.server_id, grant.fence))

    # ---- what always holds

    @invariant()
    def every_running_task_has_its_slot_and_no_server_has_too_many(self) -> None:
        state = self.memory.state
        for row in state.tasks.values():
            assert row.halted_ms is None or row.state is TaskState.PAUSED
            if row.lives:
                assert row.attempt is not None
                assert (row.id, row.fence) in state.servers[row.attempt.server_id].slots
        seen = [slot for server in state.servers.values() for slot in server.slots]
        assert len(seen) == len(set(seen))
        for server in state.servers.values():
            assert len(server.slots) <= SLOTS
            for task_id, fence in server.slots:
                row_now = state.tasks.get(task_id)
                assert row_now is None or fence <= row_now.fence

    @invariant()
    def what_is_held_goes_with_the_slots_and_fits(self) -> None:
        state = self.memory.state
        for server in state.servers.values():
            needs = {slot: state.tasks[slot[0]].new.needs for slot in server.slots if slot[0] in state.tasks}
            assert {slot for slot, amounts in needs.items() if amounts} <= server.held.keys() <= server.slots.keys()
            totals = TOTALS.get(server.id)
            assert totals is None or sum(server.held.values(), NOTHING).fits_in(totals)
