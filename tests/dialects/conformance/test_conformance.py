"""One list of scenarios through every dialect and transport. A new one is one more driver in `DRIVERS`."""

import pytest

from tests.dialects.conformance.cloudai import CloudAIDriver
from tests.dialects.conformance.cluster import ClusterDriver
from tests.dialects.conformance.driver import Driver
from tests.dialects.conformance.farm import FarmDriver
from tests.dialects.conformance.jobs import JobsDriver
from tests.dialects.conformance.native import PullDriver, PushDriver, SocketDriver
from tests.dialects.conformance.scenarios import SCENARIOS

DRIVERS: tuple[type[Driver], ...] = (
    PushDriver,
    PullDriver,
    SocketDriver,
    JobsDriver,
    FarmDriver,
    CloudAIDriver,
    ClusterDriver,
)
PAIRS = [(driver, name) for driver in DRIVERS for name in SCENARIOS if name not in driver.absent]

# what a document has no words for: nothing may be left out silently
ABSENT = {("jobs", "fail_then_retry"), ("cloudai", "fail_then_retry"), ("cluster", "fail_then_retry")}


@pytest.mark.parametrize(("driver", "name"), PAIRS, ids=[f"{driver.name}-{name}" for driver, name in PAIRS])
async def test_scenario(driver: type[Driver], name: str) -> None:
    running = driver()
    try:
        async with running.world.events():
            await SCENARIOS[name](running)
    finally:
        await running.world.close()


def test_what_is_absent_is_what_is_declared() -> None:
    declared = {(driver.name, name): reason for driver in DRIVERS for name, reason in driver.absent.items()}
    assert declared.keys() == ABSENT
    assert all(name in SCENARIOS for _, name in declared)
    assert all(len(reason) > 20 for reason in declared.values()), "with the reason"
    assert len(PAIRS) + len(ABSENT) == len(DRIVERS) * len(SCENARIOS)
    assert len({driver.name for driver in DRIVERS}) == len(DRIVERS)
