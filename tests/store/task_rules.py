"""Random wishes of clients, time that passes and lost replies, and what must hold of tasks whoever runs them."""

from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from dispatcher.domain.stats import Counts
from dispatcher.domain.task import Task
from dispatcher.domain.transitions import TaskState
from tests.store.side_by_side import SideBySide
from tests.store.world import GATEWAY, ORIGIN

tasks = st.integers(0, 10_000)  # an index into the tasks so far


class TaskRules(SideBySide):
    """The part of a model that does not ask where tasks run."""

    # ---- wishes

    @precondition(SideBySide.has_tasks)
    @rule(task=tasks)
    def cancel(self, task: int) -> None:
        task_id = self.task_id(task)
        self.do(lambda store: store.tasks.cancel(task_id, origin=ORIGIN, owner=None))

    @precondition(SideBySide.has_tasks)
    @rule(task=tasks)
    def pause(self, task: int) -> None:
        task_id = self.task_id(task)
        self.do(lambda store: store.tasks.pause(task_id, origin=ORIGIN, owner=None, reason="wait"))

    @precondition(SideBySide.has_tasks)
    @rule(task=tasks)
    def resume(self, task: int) -> None:
        task_id = self.task_id(task)
        self.do(lambda store: store.tasks.resume(task_id, origin=ORIGIN, owner=None, reason="go"))

    @precondition(SideBySide.has_tasks)
    @rule(task=tasks, waits=st.sampled_from([None, 4_000]))
    def retry(self, task: int, waits: int | None) -> None:
        task_id = self.task_id(task)
        self.do(lambda store: store.tasks.retry(task_id, origin=ORIGIN, owner=None, waiting_ms=waits))
        self.last = None  # a second retry is no replay

    @precondition(SideBySide.has_tasks)
    @rule(task=tasks)
    def delete(self, task: int) -> None:
        task_id = self.task_id(task)
        self.do(lambda store: store.tasks.delete(task_id, origin=ORIGIN, owner=None))

    # ---- time, and lost replies

    @rule(ms=st.sampled_from([1, 100, 251, 700, 1_000, 5_000, 7_400, 16_000]))
    def advance(self, ms: int) -> None:
        self.pass_time(ms)
        self.do(lambda store: store.tasks.tick(gateway=GATEWAY))

    @rule()
    def peek(self) -> None:
        self.do(lambda store: store.tasks.peek())

    @precondition(lambda self: self.last is not None)
    @rule()
    def lose_the_reply(self) -> None:
        """The same call again; whatever it answers, it must not act twice."""
        assert self.last is not None
        before = self._runner.run(self._look(self.memory))
        self.do(self.last)
        assert self._runner.run(self._look(self.memory)) == before

    # ---- what always holds

    @invariant()
    def the_queue_holds_exactly_the_pending_tasks(self) -> None:
        state = self.memory.state
        pending = sorted(row.id for row in state.tasks.values() if row.state is TaskState.PENDING)
        assert sorted(state.queue) == pending

    @invariant()
    def counts_are_conserved(self) -> None:
        _, total, _, totals, by_server, live, _ = self._runner.run(self._look(self.memory))
        assert totals.created + totals.reopened - totals.ended == sum(live.values()) <= total
        opened = Counts(created=totals.created, reopened=totals.reopened)
        assert sum(by_server, opened) == totals

    @invariant()
    def what_is_in_use_is_what_lives(self) -> None:
        state = self.memory.state
        living = [row for row in state.tasks.values() if not row.ended]
        assert state.usage.tasks == len(living)
        assert state.usage.size == sum(len(row.new.payload) for row in living)

    @invariant()
    def ends_are_complete(self) -> None:
        for row in self.memory.state.tasks.values():
            task: Task = row.view(full=True, result=True)
            assert task.ended == (task.ended_ms is not None)
            assert task.result is not None or task.state is not TaskState.COMPLETED
            assert task.result is None or task.state in (TaskState.COMPLETED, TaskState.FAILED)
            assert (task.error is not None) == (task.state in (TaskState.FAILED, TaskState.TIMEOUT))
            assert (task.retry_at_ms is not None) == (task.state is TaskState.RETRYING)
