"""What tests of use cases share."""

import pytest

from tests.service.operating import Fleet
from tests.support.leaks import no_task_leaks

__all__ = ["no_task_leaks"]  # a fixture


@pytest.fixture
async def fleet() -> Fleet:
    """Two workers, and two gateways."""
    fleet = Fleet()
    for server_id in ("s1", "s2"):
        await fleet.add(server_id)
    return fleet
