"""The fleet that most tests share: three gateways, five servers, one Redis."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.e2e.fleet import Fleet, running_fleet
from tests.e2e.world import World, world_on


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with running_fleet(tmp_path_factory.mktemp("fleet"), gateways=3, servers=5) as fleet:
        yield fleet


@pytest.fixture
async def world(fleet: Fleet) -> AsyncIterator[World]:
    async with world_on(fleet) as world:
        yield world
