"""Random histories of gangs and of workers on connections: the invariants, and the agreement of the stores."""

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.store import redis_factory
from tests.store.gang_model import GangModel
from tests.store.test_model import SMALL

GANGS = settings(SMALL, max_examples=25, stateful_step_count=25)


def test_the_specification_keeps_its_invariants_on_gangs() -> None:
    run_state_machine_as_test(GangModel, settings=GANGS)  # type: ignore[no-untyped-call]


def test_redis_answers_on_gangs_as_the_specification_does(servers: dict[str, str]) -> None:
    run_state_machine_as_test(lambda: GangModel(servers["wheel"]), settings=GANGS)  # type: ignore[no-untyped-call]


def test_fakeredis_answers_on_gangs_as_the_specification_does() -> None:
    small = settings(GANGS, max_examples=5)
    run_state_machine_as_test(lambda: GangModel(redis_factory.FAKE), settings=small)  # type: ignore[no-untyped-call]


@pytest.mark.bench
def test_new_histories_of_gangs(servers: dict[str, str]) -> None:
    """Longer and different ones each time; asked for by `make figures`."""
    new = settings(SMALL, max_examples=200, stateful_step_count=60, derandomize=False)
    run_state_machine_as_test(lambda: GangModel(servers["wheel"]), settings=new)  # type: ignore[no-untyped-call]
