"""Random commands on the models in servers' memory, beside those on tasks."""

from hypothesis import strategies as st
from hypothesis.stateful import rule

from dispatcher.domain.resources import NOTHING, Resources
from tests.store.side_by_side import MODELS, SERVERS, WORKER
from tests.store.task_rules import TaskRules

anywhere = st.sampled_from([*SERVERS, WORKER])
models = st.sampled_from(MODELS)
amounts = st.sampled_from([NOTHING, Resources(cpu=1), Resources(memory=2)])


class PlacementRules(TaskRules):
    """What a worker says is in its memory is believed, even beyond its totals; what is asked of it is checked."""

    @rule(model=models, name=anywhere, preload=st.booleans(), priority=st.integers(0, 2))
    def assign(self, model: str, name: str, preload: bool, priority: int) -> None:
        self.do(
            lambda store: store.placements.assign(model, [name], assignment="a", preload=preload, priority=priority)
        )
        self.do(lambda store: store.placements.begin_load(name, model))

    @rule(
        model=models,
        name=anywhere,
        takes=st.sampled_from([NOTHING, Resources(cpu=1), Resources(memory=2)]),
        fails=st.booleans(),
    )
    def loaded(self, model: str, name: str, takes: Resources, fails: bool) -> None:
        if fails:
            self.do(lambda store: store.placements.failed(name, model, "why"))
        else:
            self.do(lambda store: store.placements.loaded(name, model, takes, 1_000))

    @rule(model=models, name=anywhere, ends=st.booleans())
    def unload(self, model: str, name: str, ends: bool) -> None:
        self.do(lambda store: store.placements.begin_unload(name, model))
        if ends:
            self.do(lambda store: store.placements.unloaded(name, model))
            self.last = None  # there is nothing to unload a second time
