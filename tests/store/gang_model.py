"""Random commands on gangs and their workers, and what must hold of ranks after each of them."""

from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from dispatcher.domain.failure import Outcome, Verdict
from dispatcher.domain.lane import Demand
from dispatcher.domain.principal import Owner
from dispatcher.domain.reporter import ByAdmin, ByHolder, Reporter
from dispatcher.domain.resources import NOTHING, Resources
from dispatcher.store.memory.task_rows import TaskRow
from tests.store.redis_traces import loose_ends
from tests.store.side_by_side import SideBySide
from tests.store.task_rules import tasks
from tests.store.worker_rules import ROOM, SLOTS, WORKERS, WorkerRules, workers
from tests.store.world import GATEWAY, by, new_task

grants = st.integers(0, 10_000)  # an index into the past grants
VERDICTS = (
    Verdict.COMPLETED, Verdict.COMPLETED, Verdict.FAILED, Verdict.LOST, Verdict.RELEASED, Verdict.FAILURE,
    Verdict.TIMED_OUT, Verdict.DECLINED,
)  # fmt: skip


class GangModel(WorkerRules):
    """The stores under random commands of workers that take ranks."""

    @rule(
        tenant=st.sampled_from("ab"), size=st.sampled_from([1, 2, 2, 3]), restarts=st.booleans(), shy=st.booleans(),
        cores=st.sampled_from([0, 0, 0, 1.2, 2.5]), timeout_ms=st.sampled_from([0, 0, 20_000]),
        deadline_in=st.sampled_from([None, None, None, 25_000]), boost=st.sampled_from([0, 0, 60_000]),
    )  # fmt: skip
    def create(
        self, tenant: str, size: int, restarts: bool, shy: bool, cores: float, timeout_ms: int,
        deadline_in: int | None, boost: int,
    ) -> None:  # fmt: skip
        needs = Resources(cpu=cores)
        deadline_ms = self.clock.now_ms() + deadline_in if deadline_in else None
        task = new_task(
            self.fresh("t"), owner=Owner(tenant, "x"), needs=needs, gang_restart=restarts, shy=shy, boost_ms=boost,
            timeout_ms=timeout_ms, deadline_ms=deadline_ms,
        )  # fmt: skip
        task = replace(task, demand=Demand(kind="training", gang=size).shaped(needs))
        self.task_ids.append(task.id)
        self.do(lambda store: store.tasks.create(task, gateway=GATEWAY))

    @rule(order=st.permutations(WORKERS), size=st.sampled_from([2, 2, 3]), restarts=st.booleans(), late=st.booleans())
    def gang_starts(self, order: list[str], size: int, restarts: bool, late: bool) -> None:
        """The usual beginning, as often as all else; or but for a rank that nobody takes."""
        self.all_are_ready()
        self.create("a", size, restarts, False, 0, 0, None, 90_000)
        self.all_ask(order, twice=not late)

    # ---- reports

    def _report(self, task_id: str, who: Reporter, outcome: Outcome) -> None:
        self.do(lambda store: store.tasks.finish(task_id, who, outcome, gateway=GATEWAY, retry_delay_ms=700))

    @precondition(SideBySide.has_grants)
    @rule(
        index=grants, verdict=st.sampled_from(VERDICTS), digest=st.sampled_from("de"),
        slot_free=st.sampled_from([True, True, False]), speaker=st.sampled_from("hhhhfax"),
    )  # fmt: skip
    def finish(self, index: int, verdict: Verdict, digest: str, slot_free: bool, speaker: str) -> None:
        """A word on an attempt that is on, or that may have been over for long."""
        grant = self.grant(index)
        who: dict[str, Reporter] = {
            "a": by(grant), "h": ByHolder(grant.server_id), "f": ByHolder(grant.server_id, grant.fence), "x": ByAdmin(),
        }  # fmt: skip
        outcome = Outcome(verdict, f"{index % 2}".encode(), digest, "CODE", "why", slot_free, 0, 20)
        self._report(grant.task_id, who[speaker], outcome)

    @precondition(SideBySide.has_tasks)
    @rule(task=tasks, name=workers, verdict=st.sampled_from(VERDICTS))
    def finish_of_anybody(self, task: int, name: str, verdict: Verdict) -> None:
        self._report(self.task_id(task), ByHolder(name), Outcome(verdict, b"2", "d", "CODE", "why"))

    def _living(self) -> list[TaskRow]:
        return [row for row in self.memory.state.tasks.values() if row.lives]

    def has_living(self) -> bool:
        return bool(self._living())

    @precondition(has_living)
    @rule(task=tasks, ends=st.permutations(range(3)), verdict=st.sampled_from(VERDICTS), most=st.integers(1, 3))
    def end_ranks(self, task: int, ends: list[int], verdict: Verdict, most: int) -> None:
        """Ranks of a living gang end in some order: all but the last are completed."""
        living = self._living()
        row = living[task % len(living)]
        names = [rank.server_id for rank in row.ranks] or [row.server_id or ""]
        order = [names[n] for n in ends if n < len(names)][:most]
        for n, name in enumerate(order, 1):
            what = verdict if n == len(order) else Verdict.COMPLETED
            self._report(row.id, ByHolder(name), Outcome(what, name.encode(), f"d-{name}", "CODE", "why"))

    @precondition(SideBySide.has_grants)
    @rule(
        index=grants, percent=st.integers(0, 100), metrics=st.sampled_from([None, b'{"loss":1}']),
        checkpoint=st.sampled_from([None, "epoch 1", "epoch 2"]), named=st.booleans(),
    )  # fmt: skip
    def progress(self, index: int, percent: int, metrics: bytes | None, checkpoint: str | None, named: bool) -> None:
        grant = self.grant(index)
        who = ByHolder(grant.server_id, grant.fence if named else None)
        self.do(
            lambda store: store.tasks.progress(
                grant.task_id, who, float(percent), metrics=metrics, checkpoint=checkpoint
            )
        )
        self.do(lambda store: store.tasks.history(grant.task_id))
        self.last = None  # a second report with metrics is no replay

    @precondition(SideBySide.has_grants)
    @rule(index=grants)
    def free_slot(self, index: int) -> None:
        grant = self.grant(index)
        self.do(lambda store: store.tasks.free_slot(grant.task_id, grant.server_id, grant.fence))

    # ---- what always holds

    @invariant()
    def every_rank_that_has_not_ended_has_its_slot_on_a_worker_of_its_own(self) -> None:
        state = self.memory.state
        for row in self._living():
            names = [rank.server_id for rank in row.ranks] or [row.server_id]
            assert len(set(names)) == len(names) == row.new.demand.gang
            going = {rank.server_id for rank in row.ranks if rank.end is None} or set(names)
            having = {server.id for server in state.servers.values() if (row.id, row.fence) in server.slots}
            assert going <= having <= set(names)  # one that has ended may be busy with it still

    @invariant()
    def no_slot_outlives_its_lease(self) -> None:
        state = self.memory.state
        for server in state.servers.values():
            assert len(server.slots) <= SLOTS[server.id]
            for (task_id, fence), ends_ms in server.slots.items():
                row = state.tasks.get(task_id)
                assert row is None or fence <= row.fence
                assert ends_ms > state.now or state.no_reap_until_ms > state.now

    @invariant()
    def what_is_held_goes_with_the_slots_and_fits(self) -> None:
        state = self.memory.state
        for server in state.servers.values():
            needs = {slot: state.tasks[slot[0]].new.needs for slot in server.slots if slot[0] in state.tasks}
            assert {slot for slot, amounts in needs.items() if amounts} <= server.held.keys() <= server.slots.keys()
            room = ROOM[server.id]
            assert room is None or sum(server.held.values(), NOTHING).fits_in(room)

    @invariant()
    def a_rank_that_waits_for_its_worker_is_one_of_a_living_gang(self) -> None:
        state = self.memory.state
        for server in state.servers.values():
            if server.handed is not None:
                slot, rank = server.handed
                row = state.tasks[slot[0]]
                assert slot in server.slots
                assert row.lives
                assert row.fence == slot[1]
                assert row.ranks[rank].server_id == server.id

    @invariant()
    def only_workers_with_a_connection_wait(self) -> None:
        for server in self.memory.state.servers.values():
            assert server.session or server.wants_since_ms is None

    @invariant()
    def redis_leaves_nothing_behind(self) -> None:
        if self._client is not None:
            assert self._runner.run(loose_ends(self._client, self._namespace)) == []
