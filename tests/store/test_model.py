"""Random histories: the invariants of the specification, and its agreement with Redis."""

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.store import redis_factory
from tests.store.model import StoreModel

# the same histories every time: a suite that fails by chance teaches nothing. `make figures` tries new ones
SMALL = settings(max_examples=60, stateful_step_count=40, deadline=None, report_multiple_bugs=False, derandomize=True)


def test_the_specification_keeps_its_invariants() -> None:
    run_state_machine_as_test(StoreModel, settings=SMALL)  # type: ignore[no-untyped-call]


def test_redis_answers_as_the_specification_does(servers: dict[str, str]) -> None:
    run_state_machine_as_test(lambda: StoreModel(servers["wheel"]), settings=SMALL)  # type: ignore[no-untyped-call]


def test_fakeredis_answers_as_the_specification_does() -> None:
    small = settings(SMALL, max_examples=10)
    run_state_machine_as_test(lambda: StoreModel(redis_factory.FAKE), settings=small)  # type: ignore[no-untyped-call]


@pytest.mark.bench
def test_new_histories(servers: dict[str, str]) -> None:
    """Longer and different ones each time; asked for by `make figures`."""
    new = settings(SMALL, max_examples=200, stateful_step_count=60, derandomize=False)
    run_state_machine_as_test(lambda: StoreModel(servers["wheel"]), settings=new)  # type: ignore[no-untyped-call]
